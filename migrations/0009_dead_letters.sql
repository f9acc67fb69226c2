-- Events whose projection the database refused. Their journal row is kept (raw, seq); a person decides.
create table if not exists dead_letters (
    sale_id varchar(80) character set ascii collate ascii_bin not null,
    seq bigint unsigned not null,
    epoch int unsigned not null,
    error varchar(1000) not null,
    created_at datetime(6) not null,
    constraint dead_letters_pk primary key (sale_id, seq)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
