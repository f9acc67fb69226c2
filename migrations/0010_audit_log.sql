-- Who changed what in the back-office, append-only.
create table if not exists audit_log (
    id bigint unsigned not null auto_increment,
    at datetime(6) not null,
    actor varchar(64) character set ascii collate ascii_bin not null,
    action varchar(64) character set ascii collate ascii_bin not null,
    -- e.g. sale:drop-1, coupon:welcome, sales
    subject varchar(80) character set ascii collate ascii_bin not null,
    request_id varchar(64) character set ascii collate ascii_bin not null,
    before_state json null,
    after_state json null,
    constraint audit_log_pk primary key (id),
    key audit_log_subject (subject, id)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
