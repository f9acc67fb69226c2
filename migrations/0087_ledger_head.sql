-- One row: the last day that is closed. Whoever posts reads it under a shared lock, whoever closes changes it.
create table if not exists ledger_head (
    id tinyint unsigned not null,
    closed_through date not null,
    constraint ledger_head_pk primary key (id),
    constraint ledger_head_one check (id = 1)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
