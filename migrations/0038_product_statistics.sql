-- What makes a product popular, refreshed now and then by one back-office; the score is what shops are sorted by.
create table if not exists product_statistics (
    product_no int unsigned not null,
    -- of the last days
    views bigint unsigned not null,
    -- units held or sold in sales of the last days
    units bigint unsigned not null,
    -- buyers who have it in their cart, or on their wish list, now
    carts bigint unsigned not null,
    wishes bigint unsigned not null,
    score bigint unsigned not null,
    refreshed_at datetime(3) not null,
    constraint product_statistics_pk primary key (product_no)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
