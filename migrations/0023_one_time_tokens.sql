-- Tokens that are good for one act of one user. A token that is used is gone.
create table if not exists one_time_tokens (
    -- SHA-256 of the token
    token_hash binary(32) not null,
    purpose varchar(16) character set ascii collate ascii_bin not null,
    user_id varchar(64) character set ascii collate ascii_bin not null,
    -- to which it went; another one since makes it void
    email varchar(254) character set ascii collate ascii_bin not null,
    expires_at datetime(3) not null,
    constraint one_time_tokens_pk primary key (token_hash),
    key one_time_tokens_of (user_id, purpose),
    key one_time_tokens_expires (expires_at),
    constraint one_time_tokens_purpose check (purpose in ('reset_password')),
    constraint one_time_tokens_user foreign key (user_id) references users (user_id)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
