-- Carts: what a buyer means to buy. Users may be the shop's own, unknown to us, so there is no reference to them.
create table if not exists cart_items (
    user_id varchar(64) character set ascii collate ascii_bin not null,
    sku varchar(64) character set ascii collate ascii_bin not null,
    quantity int unsigned not null,
    added_at datetime(3) not null,
    constraint cart_items_pk primary key (user_id, sku),
    constraint cart_items_sku foreign key (sku) references skus (sku) on delete cascade,
    constraint cart_items_quantity check (quantity > 0)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
