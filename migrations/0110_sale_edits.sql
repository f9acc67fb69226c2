-- How often a sale was edited while it was a draft, so that of two who edit the same one the second is told. No row: as it was first written down.
create table if not exists sale_edits (
    sale_id varchar(64) character set ascii collate ascii_bin not null,
    -- the first edit makes version 2
    version int unsigned not null,
    edited_at datetime(3) not null,
    constraint sale_edits_pk primary key (sale_id),
    constraint sale_edits_sale foreign key (sale_id) references sales (sale_id)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
