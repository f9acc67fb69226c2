-- Money and points that go back, written before the provider is asked. The id is the provider's idempotency key, and the scripts' key for the units.
create table if not exists refunds (
    refund_id binary(16) not null,
    order_id binary(16) not null,
    -- of what was captured, and of the points that were spent; both may be nothing where units alone come back
    amount bigint not null,
    points bigint not null,
    -- of amount, what was paid for shipping
    shipping_amount bigint not null,
    currency char(3) character set ascii collate ascii_bin not null,
    -- open → repaid (the provider did it) → done (units and points too); refused: waits for a person
    state varchar(16) character set ascii collate ascii_bin not null,
    reason varchar(200) not null,
    -- a member of staff, the buyer, or `saga`
    asked_by varchar(64) character set ascii collate ascii_bin not null,
    -- of the request, so that a repeat is none
    body_hash binary(16) not null,
    problem varchar(64) character set ascii collate ascii_bin null,
    created_at datetime(3) not null,
    done_at datetime(3) null,
    constraint refunds_pk primary key (refund_id),
    key refunds_order (order_id, created_at),
    key refunds_state (state, created_at),
    constraint refunds_states check (state in ('open', 'repaid', 'done', 'refused')),
    constraint refunds_amounts check (amount >= shipping_amount and shipping_amount >= 0 and points >= 0)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
