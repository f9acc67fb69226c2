-- What a sale offers, per sku: fixed once it is published; stock changes afterwards only through adjust, which the journal has.
create table if not exists sale_items (
    sale_id varchar(64) character set ascii collate ascii_bin not null,
    sku varchar(64) character set ascii collate ascii_bin not null,
    position int unsigned not null,
    title varchar(200) not null,
    -- price in minor units of currency (ISO 4217)
    amount bigint not null,
    currency char(3) character set ascii collate ascii_bin not null,
    stock int unsigned not null,
    -- units that one user may hold and own at a time; 0: no limit
    limit_per_user int unsigned not null,
    constraint sale_items_pk primary key (sale_id, sku),
    constraint sale_items_sale foreign key (sale_id) references sales (sale_id),
    constraint sale_items_amount check (amount >= 0)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
