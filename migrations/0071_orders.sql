-- Orders: the state of each one's way from a hold to money to settled books. No foreign key to reservations, which come later.
create table if not exists orders (
    -- derived from user and Idempotency-Key: a repeat names the same order
    order_id binary(16) not null,
    user_id varchar(64) character set ascii collate ascii_bin not null,
    sale_id varchar(64) character set ascii collate ascii_bin not null,
    reservation_id binary(16) not null,
    -- SHA-256 of the canonical request, its first half: the same key with another body is refused
    body_hash binary(16) not null,
    state varchar(16) character set ascii collate ascii_bin not null,
    -- why it is not, or no longer, to be paid
    reason varchar(32) character set ascii collate ascii_bin null,
    -- what it comes to, in minor units: lines_amount + shipping_amount - coupon_amount - points_amount = total_amount
    currency char(3) character set ascii collate ascii_bin not null,
    lines_amount bigint not null,
    shipping_amount bigint not null,
    coupon_amount bigint not null,
    points_amount bigint not null,
    total_amount bigint not null,
    -- what the provider has of it, and what it gave back
    captured_amount bigint not null,
    refunded_amount bigint not null,
    -- of points_amount, what the buyer has back; and what the order earned him
    points_returned bigint not null,
    points_earned bigint not null,
    earn_per_mille int unsigned not null,
    late_payment varchar(16) character set ascii collate ascii_bin not null,
    coupon_id varchar(64) character set ascii collate ascii_bin null,
    claim_id binary(16) null,
    method varchar(32) character set ascii collate ascii_bin not null,
    -- what the provider knows the buyer's means of payment by; gone as soon as nothing is charged any more
    payment_token varchar(255) character set ascii collate ascii_bin null,
    -- a copy, because his addresses may change; after an erasure its country alone
    address json null,
    cancel_asked_at datetime(3) null,
    -- the last number of its events
    events int unsigned not null,
    -- raised by whoever takes it: one who was overtaken changes nothing
    version int unsigned not null,
    tries int unsigned not null,
    -- how long its hold lasts, once it is paid for
    pay_until datetime(3) null,
    -- when the next step is due; whoever takes it puts it off for as long as he may work; null: nothing is to be done
    next_step_at datetime(3) null,
    created_at datetime(3) not null,
    ended_at datetime(3) null,
    constraint orders_pk primary key (order_id),
    -- an order that fails gives its hold up, so no hold is paid for twice
    constraint orders_reservation unique (reservation_id),
    key orders_due (next_step_at),
    key orders_user (user_id, created_at, order_id),
    key orders_sale (sale_id, created_at, order_id),
    key orders_state (state, created_at, order_id),
    key orders_created (created_at, order_id),
    constraint orders_states check (state in ('placed', 'charging', 'captured', 'paid', 'undoing', 'cancelled', 'refunded', 'parked')),
    constraint orders_late check (late_payment in ('reacquire', 'refund', 'park')),
    constraint orders_total check (lines_amount + shipping_amount - coupon_amount - points_amount = total_amount),
    constraint orders_parts check (lines_amount >= 0 and shipping_amount >= 0 and coupon_amount >= 0 and points_amount >= 0 and total_amount >= 0),
    constraint orders_refunded check (refunded_amount between 0 and captured_amount and points_returned between 0 and points_amount)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
