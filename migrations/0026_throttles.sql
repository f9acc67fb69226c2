-- Attempts that failed lately, per account and per address that they came from. Rows of the past are removed.
create table if not exists throttles (
    -- SHA-256 of kind and value, so that no address of a person stands here
    subject binary(32) not null,
    failures int unsigned not null,
    -- from when on the failures wear off
    failed_at datetime(3) not null,
    blocked_until datetime(3) not null,
    constraint throttles_pk primary key (subject),
    key throttles_failed (failed_at)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
