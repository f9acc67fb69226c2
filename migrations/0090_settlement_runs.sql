-- Days and months that are closed: what came later counts in a later one.
create table if not exists settlement_runs (
    -- 2026-11 or 2026-11-21
    period varchar(10) character set ascii collate ascii_bin not null,
    first_day date not null,
    last_day date not null,
    closed_by varchar(64) character set ascii collate ascii_bin not null,
    closed_at datetime(3) not null,
    -- of all its statements; null until the first run has come to its end
    digest binary(32) null,
    constraint settlement_runs_pk primary key (period)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
