-- The end of that chain, one row. Whoever appends locks it until he commits, so there is one order.
create table if not exists audit_head (
    one tinyint unsigned not null,
    position bigint unsigned not null,
    hash binary(32) not null,
    constraint audit_head_pk primary key (one),
    constraint audit_head_one check (one = 1)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
