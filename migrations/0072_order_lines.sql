-- What was ordered, at the sale's prices, each line with its share of the coupon and the points: the shares come to the order's exactly.
create table if not exists order_lines (
    order_id binary(16) not null,
    position int unsigned not null,
    sku varchar(64) character set ascii collate ascii_bin not null,
    title varchar(200) not null,
    -- resolved when the order was placed; `house` where the catalog does not have the sku
    seller_id varchar(64) character set ascii collate ascii_bin not null,
    quantity int unsigned not null,
    unit_amount bigint not null,
    coupon_amount bigint not null,
    points_amount bigint not null,
    constraint order_lines_pk primary key (order_id, position),
    constraint order_lines_sku unique (order_id, sku),
    constraint order_lines_quantity check (quantity > 0),
    constraint order_lines_amounts check (unit_amount >= 0 and coupon_amount >= 0 and points_amount >= 0)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
