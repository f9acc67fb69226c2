-- Who got a first-come coupon, in the order in which they got it.
create table if not exists coupon_claims (
    coupon_id varchar(64) character set ascii collate ascii_bin not null,
    seq bigint unsigned not null,
    id binary(16) not null,
    user_id varchar(64) character set ascii collate ascii_bin not null,
    epoch int unsigned not null,
    claimed_at datetime(3) not null,
    constraint coupon_claims_pk primary key (coupon_id, seq),
    constraint coupon_claims_id unique (id),
    key coupon_claims_user (user_id, claimed_at)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
