-- What a coupon asks of an order, beyond its discount. A coupon without a row asks nothing, and can be redeemed for ever.
create table if not exists coupon_policies (
    coupon_id varchar(64) character set ascii collate ascii_bin not null,
    -- {"cap", "minimum", "categories", "redeem_from", "redeem_until"}
    policy json not null,
    redeem_until datetime(3) null,
    -- all claims that were not used by then are noted as expired
    expired_at datetime(3) null,
    constraint coupon_policies_pk primary key (coupon_id),
    key coupon_policies_due (expired_at, redeem_until),
    constraint coupon_policies_coupon foreign key (coupon_id) references coupons (coupon_id)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
