-- Every event of every sale, numbered without gaps, exactly as Redis wrote it (raw) and taken apart for reading.
create table if not exists journal (
    sale_id varchar(80) character set ascii collate ascii_bin not null,
    epoch int unsigned not null,
    seq bigint unsigned not null,
    -- opened, paused, resumed, closed, adjusted, held, expired, cancelled, claimed; unreadable: see dead_letters
    kind varchar(16) character set ascii collate ascii_bin not null,
    reservation_id binary(16) null,
    user_id varchar(64) character set ascii collate ascii_bin null,
    -- adjusted only: which sku, by how many units
    sku varchar(64) character set ascii collate ascii_bin null,
    quantity bigint null,
    -- Redis time at which the event was decided
    at datetime(3) not null,
    raw varbinary(24000) not null,
    constraint journal_pk primary key (sale_id, seq)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
