-- What the provider was asked to charge, written before it is asked. The id is the provider's idempotency key.
create table if not exists payment_attempts (
    attempt_id binary(16) not null,
    order_id binary(16) not null,
    amount bigint not null,
    currency char(3) character set ascii collate ascii_bin not null,
    -- open: sent, or about to be
    state varchar(16) character set ascii collate ascii_bin not null,
    provider_ref varchar(128) character set ascii collate ascii_bin null,
    reason varchar(64) character set ascii collate ascii_bin null,
    created_at datetime(3) not null,
    ended_at datetime(3) null,
    constraint payment_attempts_pk primary key (attempt_id),
    constraint payment_attempts_order unique (order_id),
    key payment_attempts_created (created_at),
    constraint payment_attempts_states check (state in ('open', 'captured', 'declined', 'voided')),
    constraint payment_attempts_captured check (state <> 'captured' or provider_ref is not null),
    constraint payment_attempts_amount check (amount > 0)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
