-- Generations of sales after whose beginning all orders were held against the books. One row per sale that was ever rebuilt.
create table if not exists order_epochs (
    sale_id varchar(80) character set ascii collate ascii_bin not null,
    epoch int unsigned not null,
    noted_at datetime(3) not null,
    constraint order_epochs_pk primary key (sale_id)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
