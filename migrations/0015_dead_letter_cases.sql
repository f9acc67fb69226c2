-- What people did about dead letters: how often an event was tried again, and how its case ended. A letter whose case has ended is
-- no longer in dead_letters.
create table if not exists dead_letter_cases (
    sale_id varchar(80) character set ascii collate ascii_bin not null,
    seq bigint unsigned not null,
    epoch int unsigned not null,
    -- the last refusal
    error varchar(1000) not null,
    tries int unsigned not null,
    tried_at datetime(6) not null,
    -- applied: the books have the event now; discarded: they go without it, for good
    outcome varchar(16) character set ascii collate ascii_bin null,
    -- why it was discarded
    reason varchar(200) null,
    actor varchar(64) character set ascii collate ascii_bin not null,
    -- when it became a dead letter, and when its case ended
    created_at datetime(6) not null,
    ended_at datetime(6) null,
    constraint dead_letter_cases_pk primary key (sale_id, seq),
    constraint dead_letter_cases_outcome check (outcome in ('applied', 'discarded')),
    constraint dead_letter_cases_ended check ((outcome is null) = (ended_at is null))
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
