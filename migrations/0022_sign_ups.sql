-- Sign-ups whose e-mail address nobody has confirmed yet. A user comes to be when one is confirmed; the others end by themselves.
create table if not exists sign_ups (
    -- SHA-256 of the token in the mail
    token_hash binary(32) not null,
    email varchar(254) character set ascii collate ascii_bin not null,
    password_hash varchar(255) character set ascii collate ascii_bin not null,
    name varchar(100) not null,
    language varchar(2) character set ascii collate ascii_bin not null,
    expires_at datetime(3) not null,
    constraint sign_ups_pk primary key (token_hash),
    key sign_ups_email (email),
    key sign_ups_expires (expires_at)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
