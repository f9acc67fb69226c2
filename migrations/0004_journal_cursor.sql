-- How far the books are, one row per published sale: the truth about write-back. A writer owns a sale while it locks this row.
create table if not exists journal_cursor (
    sale_id varchar(80) character set ascii collate ascii_bin not null,
    epoch int unsigned not null,
    -- last event in the books; 0: none yet, so nothing can have been sold
    seq bigint unsigned not null,
    -- the stream entry that ends with seq; it stays in Redis to be compared
    stream_id varchar(42) character set ascii collate ascii_bin not null,
    updated_at datetime(6) not null,
    constraint journal_cursor_pk primary key (sale_id)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
