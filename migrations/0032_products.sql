-- Products as staff write them. What shoppers see of the published ones is in shop_products too.
create table if not exists products (
    -- short, because the search index names it millions of times
    product_no int unsigned not null auto_increment,
    product_id varchar(64) character set ascii collate ascii_bin not null,
    seller_id varchar(64) character set ascii collate ascii_bin not null,
    category_id varchar(64) character set ascii collate ascii_bin not null,
    state varchar(16) character set ascii collate ascii_bin not null,
    title_ko varchar(200) not null,
    title_en varchar(200) not null,
    description_ko text not null,
    description_en text not null,
    -- further words to be found by: ["머그", "mug"]
    keywords json not null,
    -- [{"name": {"ko", "en"}, "values": [{"ko", "en"}, …]}, …]
    options json not null,
    -- [{"url", "alt": {"ko", "en"}}, …]
    images json not null,
    version int unsigned not null,
    -- raised by all that changes what its page shows, also by sales of its skus
    page_version bigint unsigned not null,
    created_at datetime(6) not null,
    updated_at datetime(6) not null,
    -- of the first publication, to the millisecond, for the order of newest first
    published_at datetime(3) null,
    constraint products_pk primary key (product_no),
    constraint products_id unique (product_id),
    constraint products_seller foreign key (seller_id) references sellers (seller_id),
    constraint products_category foreign key (category_id) references categories (category_id),
    constraint products_state check (state in ('draft', 'published', 'archived')),
    constraint products_published check (state <> 'published' or published_at is not null)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
