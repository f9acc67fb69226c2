-- Versions of what shoppers see that is no row of its own (categories, notices), raised in the transaction of each change. Its rows
-- also order those changes, one after the other.
create table if not exists shop_versions (
    name varchar(32) character set ascii collate ascii_bin not null,
    version bigint unsigned not null,
    constraint shop_versions_pk primary key (name)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
