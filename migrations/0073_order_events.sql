-- What happened to an order, in its order: its timeline, and what the ledger is posted from. Rows are added; only posted changes.
create table if not exists order_events (
    order_id binary(16) not null,
    n int unsigned not null,
    kind varchar(32) character set ascii collate ascii_bin not null,
    at datetime(3) not null,
    -- of what moves money or points, in minor units
    amount bigint null,
    currency char(3) character set ascii collate ascii_bin null,
    data json null,
    -- what brought it about, so that nothing is told twice: `paid`, `refunded:<refund>`
    cause varchar(96) character set ascii collate ascii_bin not null,
    posted tinyint unsigned not null default 0,
    constraint order_events_pk primary key (order_id, n),
    constraint order_events_cause unique (order_id, cause),
    key order_events_unposted (posted, order_id)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
