-- What payment providers tell by themselves, once per event however often it comes. A row says that something happened to an attempt; what it
-- was, the provider is asked. Rows that are done are kept for a week, against copies.
create table if not exists webhook_inbox (
    -- the provider's
    event_id varchar(64) character set ascii collate ascii_bin not null,
    kind varchar(64) character set ascii collate ascii_bin not null,
    attempt_id binary(16) not null,
    state varchar(16) character set ascii collate ascii_bin not null,
    tries int unsigned not null,
    -- while it waits: when somebody may take it up; once it is done: since when
    due_at datetime(3) not null,
    received_at datetime(6) not null,
    -- what the provider said when it was asked
    outcome varchar(16) character set ascii collate ascii_bin null,
    constraint webhook_inbox_pk primary key (event_id),
    key webhook_inbox_due (state, due_at),
    constraint webhook_inbox_state check (state in ('waiting', 'done'))
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
