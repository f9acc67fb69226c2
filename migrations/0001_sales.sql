-- A sale as staff wrote it. Live counts are in Redis while it lives; what happened is in journal.
create table if not exists sales (
    sale_id varchar(64) character set ascii collate ascii_bin not null,
    title varchar(200) not null,
    opens_at datetime(3) not null,
    closes_at datetime(3) not null,
    hold_seconds int unsigned not null,
    payment_seconds int unsigned not null,
    waiting_room boolean not null,
    -- published: Redis has had it, or may have; from then on a missing key means recovering, never new
    state varchar(16) character set ascii collate ascii_bin not null,
    created_at datetime(6) not null,
    published_at datetime(6) null,
    constraint sales_pk primary key (sale_id),
    constraint sales_state check (state in ('draft', 'published')),
    constraint sales_window check (opens_at < closes_at)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
