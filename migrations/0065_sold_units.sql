-- Units of each sku that a sale has brought away, held or sold, as Redis last counted them: for what is popular, not for the books.
create table if not exists sold_units (
    sale_id varchar(64) character set ascii collate ascii_bin not null,
    sku varchar(64) character set ascii collate ascii_bin not null,
    units bigint unsigned not null,
    constraint sold_units_pk primary key (sale_id, sku)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
