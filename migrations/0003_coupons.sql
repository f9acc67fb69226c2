-- A first-come coupon. It lives in Redis like a sale of one sku; in the books its sale_id is 'coupon:<id>'.
create table if not exists coupons (
    coupon_id varchar(64) character set ascii collate ascii_bin not null,
    quantity int unsigned not null,
    limit_per_user int unsigned not null,
    starts_at datetime(3) not null,
    ends_at datetime(3) not null,
    discount json not null,
    state varchar(16) character set ascii collate ascii_bin not null,
    created_at datetime(6) not null,
    published_at datetime(6) null,
    constraint coupons_pk primary key (coupon_id),
    constraint coupons_state check (state in ('draft', 'published')),
    constraint coupons_window check (starts_at < ends_at)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
