-- The entries of a draw, 16 bytes a number, in parts of 65,536 numbers. Written by the engine that draws, before its event: a list whose
-- hash no draw has was never used.
create table if not exists draw_lists (
    sale_id varchar(80) character set ascii collate ascii_bin not null,
    list_hash char(64) character set ascii collate ascii_bin not null,
    part int unsigned not null,
    entries mediumblob not null,
    constraint draw_lists_pk primary key (sale_id, list_hash, part)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
