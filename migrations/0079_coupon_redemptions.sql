-- What became of claims of coupons: one row a claim, so that each is redeemed once. A claim without a row has not been used.
create table if not exists coupon_redemptions (
    claim_id binary(16) not null,
    coupon_id varchar(64) character set ascii collate ascii_bin not null,
    user_id varchar(64) character set ascii collate ascii_bin not null,
    state varchar(16) character set ascii collate ascii_bin not null,
    -- that redeemed it, or gave it back last
    order_id binary(16) null,
    at datetime(3) not null,
    constraint coupon_redemptions_pk primary key (claim_id),
    key coupon_redemptions_coupon (coupon_id, state),
    key coupon_redemptions_order (order_id),
    constraint coupon_redemptions_states check (state in ('redeemed', 'released', 'expired'))
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
