-- What the shop tells everyone for a while.
create table if not exists notices (
    notice_id varchar(64) character set ascii collate ascii_bin not null,
    title_ko varchar(200) not null,
    title_en varchar(200) not null,
    body_ko text not null,
    body_en text not null,
    starts_at datetime(3) not null,
    ends_at datetime(3) not null,
    version int unsigned not null,
    created_at datetime(6) not null,
    updated_at datetime(6) not null,
    constraint notices_pk primary key (notice_id),
    key notices_window (ends_at, starts_at),
    constraint notices_window_order check (starts_at < ends_at)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
