-- Published products as lists and searches need them: narrow rows, made anew by every edit of the product.
create table if not exists shop_products (
    product_no int unsigned not null,
    product_id varchar(64) character set ascii collate ascii_bin not null,
    seller_id varchar(64) character set ascii collate ascii_bin not null,
    category_id varchar(64) character set ascii collate ascii_bin not null,
    title_ko varchar(200) not null,
    title_en varchar(200) not null,
    -- the first of the product's images; empty: none
    image_url varchar(500) not null,
    -- the cheapest sku
    amount bigint not null,
    currency char(3) character set ascii collate ascii_bin not null,
    published_at datetime(3) not null,
    -- from product_statistics, when they were last refreshed
    score bigint unsigned not null,
    -- titles and keywords, normalised as a search is
    search_text text not null,
    constraint shop_products_pk primary key (product_no),
    constraint shop_products_product foreign key (product_no) references products (product_no),
    -- an order first, then what can be filtered by: a page's products are found without their rows
    key shop_products_newest (published_at, product_no, category_id, seller_id, currency, amount),
    key shop_products_popular (score, product_no, category_id, seller_id, currency, amount),
    key shop_products_price (currency, amount, product_no, category_id, seller_id),
    -- what several filters together leave is counted in one of these
    key shop_products_category (category_id, currency, amount, product_no),
    key shop_products_seller (seller_id, category_id, currency, amount, product_no)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
