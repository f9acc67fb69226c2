-- The units of a reservation, per sku.
create table if not exists reservation_lines (
    sale_id varchar(80) character set ascii collate ascii_bin not null,
    seq bigint unsigned not null,
    sku varchar(64) character set ascii collate ascii_bin not null,
    reservation_id binary(16) not null,
    quantity int unsigned not null,
    constraint reservation_lines_pk primary key (sale_id, seq, sku),
    constraint reservation_lines_quantity check (quantity > 0)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
