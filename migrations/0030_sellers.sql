-- Who sells: every product names one, and settlement pays them.
create table if not exists sellers (
    seller_id varchar(64) character set ascii collate ascii_bin not null,
    name_ko varchar(200) not null,
    name_en varchar(200) not null,
    -- raised by every edit; an edit names the one that it has seen
    version int unsigned not null,
    created_at datetime(6) not null,
    updated_at datetime(6) not null,
    constraint sellers_pk primary key (seller_id)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
