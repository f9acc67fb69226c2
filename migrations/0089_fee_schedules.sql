-- What we keep of a seller's sales, from a day on: basis points of each sale and a fixed amount an order. The seller * is everybody without a row of his own.
create table if not exists fee_schedules (
    seller_id varchar(64) character set ascii collate ascii_bin not null,
    currency char(3) character set ascii collate ascii_bin not null,
    valid_from date not null,
    basis_points int unsigned not null,
    fixed_amount bigint not null,
    constraint fee_schedules_pk primary key (seller_id, currency, valid_from),
    constraint fee_schedules_share check (basis_points <= 10000 and fixed_amount >= 0)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
