-- How often a product's page was read, per day; back-offices add what they counted, now and then.
create table if not exists product_views (
    day date not null,
    product_no int unsigned not null,
    views bigint unsigned not null,
    constraint product_views_pk primary key (day, product_no)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
