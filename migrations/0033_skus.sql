-- Sellable options of products. A sale names them by sku; its own price and stock are in sale_items.
create table if not exists skus (
    sku varchar(64) character set ascii collate ascii_bin not null,
    product_no int unsigned not null,
    position int unsigned not null,
    -- which value of each of the product's options: [0, 2]
    choices json not null,
    -- price in minor units of currency (ISO 4217)
    amount bigint not null,
    currency char(3) character set ascii collate ascii_bin not null,
    constraint skus_pk primary key (sku),
    key skus_of_product (product_no, position),
    constraint skus_product foreign key (product_no) references products (product_no),
    constraint skus_amount check (amount >= 0)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
