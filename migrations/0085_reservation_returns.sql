-- Units of a paid reservation that have come back, per sku: all of them by now, on sale again or written off. Rows only where some have.
create table if not exists reservation_returns (
    sale_id varchar(80) character set ascii collate ascii_bin not null,
    -- of the reservation: the event that began it
    seq bigint unsigned not null,
    sku varchar(64) character set ascii collate ascii_bin not null,
    reservation_id binary(16) not null,
    quantity int unsigned not null,
    constraint reservation_returns_pk primary key (sale_id, seq, sku),
    constraint reservation_returns_quantity check (quantity > 0)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
