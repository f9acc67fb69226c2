-- The draw among those who joined a sale's line before it opened, as the journal tells it. The list that it was drawn from is in draw_lists.
create table if not exists draws (
    sale_id varchar(80) character set ascii collate ascii_bin not null,
    -- the journal's event
    seq bigint unsigned not null,
    epoch int unsigned not null,
    -- how many they were
    early int unsigned not null,
    -- all hex
    seed char(64) character set ascii collate ascii_bin not null,
    list_hash char(64) character set ascii collate ascii_bin not null,
    secret char(64) character set ascii collate ascii_bin not null,
    drawn_at datetime(3) not null,
    constraint draws_pk primary key (sale_id)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
