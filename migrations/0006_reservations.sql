-- Reservations as the journal tells them, in the order in which they were held: clustered by (sale_id, seq), which is how they arrive.
create table if not exists reservations (
    sale_id varchar(80) character set ascii collate ascii_bin not null,
    seq bigint unsigned not null,
    id binary(16) not null,
    user_id varchar(64) character set ascii collate ascii_bin not null,
    status varchar(16) character set ascii collate ascii_bin not null,
    -- why it was released: expired, cancelled, payment_failed, refunded
    reason varchar(16) character set ascii collate ascii_bin null,
    epoch int unsigned not null,
    deadline datetime(3) not null,
    -- 128 bits of SHA-256 of the canonical request: the same key with another body is refused
    body_hash binary(16) not null,
    created_at datetime(3) not null,
    ended_at datetime(3) null,
    constraint reservations_pk primary key (sale_id, seq),
    constraint reservations_id unique (id),
    key reservations_user (user_id, created_at),
    constraint reservations_status check (status in ('held', 'paying', 'paid', 'released')),
    constraint reservations_reason check ((status = 'released') = (reason is not null))
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
