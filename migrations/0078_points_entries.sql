-- What moved a balance of points, append-only: one entry a cause.
create table if not exists points_entries (
    user_id varchar(64) character set ascii collate ascii_bin not null,
    currency char(3) character set ascii collate ascii_bin not null,
    version int unsigned not null,
    kind varchar(16) character set ascii collate ascii_bin not null,
    -- added to the balance, and what it was then
    amount bigint not null,
    balance bigint not null,
    cause varchar(96) character set ascii collate ascii_bin not null,
    -- of what was earned: when it is lost if not spent
    expires_at datetime(3) null,
    -- in words, where a person did it
    reason varchar(200) null,
    at datetime(3) not null,
    constraint points_entries_pk primary key (user_id, currency, version),
    constraint points_entries_cause unique (cause),
    constraint points_entries_kinds check (kind in ('earn', 'spend', 'return', 'expire', 'adjust')),
    constraint points_entries_balance check (balance >= 0),
    constraint points_entries_amount check (amount <> 0)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
