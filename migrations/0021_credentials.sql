-- Passwords, apart from users so that an account of the database can be kept from reading them. No row: none was ever set.
create table if not exists credentials (
    user_id varchar(64) character set ascii collate ascii_bin not null,
    -- argon2id, with its parameters and salt (PHC string)
    password_hash varchar(255) character set ascii collate ascii_bin not null,
    changed_at datetime(6) not null,
    constraint credentials_pk primary key (user_id),
    constraint credentials_user foreign key (user_id) references users (user_id)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
