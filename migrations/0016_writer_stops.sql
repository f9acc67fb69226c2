-- Sales whose journal no writer applies any more: too many of their events were refused. Taken away by the first writer that gets on.
create table if not exists writer_stops (
    sale_id varchar(80) character set ascii collate ascii_bin not null,
    why varchar(1000) not null,
    stopped_at datetime(6) not null,
    constraint writer_stops_pk primary key (sale_id)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
