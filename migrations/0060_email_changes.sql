-- Addresses that users want in place of theirs, and that nobody has confirmed yet. A row that is used is gone; the others end by themselves.
create table if not exists email_changes (
    -- SHA-256 of the token in the mail
    token_hash binary(32) not null,
    user_id varchar(64) character set ascii collate ascii_bin not null,
    -- the new one, in lower case
    email varchar(254) character set ascii collate ascii_bin not null,
    expires_at datetime(3) not null,
    constraint email_changes_pk primary key (token_hash),
    key email_changes_of (user_id),
    key email_changes_expires (expires_at),
    constraint email_changes_user foreign key (user_id) references users (user_id)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
