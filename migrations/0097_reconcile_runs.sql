-- What the scheduled comparisons of orders and money found. One row per time that one was due: whoever adds it makes it.
create table if not exists reconcile_runs (
    slot bigint unsigned not null,
    started_at datetime(3) not null,
    ended_at datetime(3) null,
    differences int unsigned null,
    report json null,
    constraint reconcile_runs_pk primary key (slot)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
