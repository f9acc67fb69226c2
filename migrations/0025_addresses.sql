-- Where a user wants things sent.
create table if not exists addresses (
    address_id binary(16) not null,
    user_id varchar(64) character set ascii collate ascii_bin not null,
    recipient varchar(100) not null,
    phone varchar(32) character set ascii collate ascii_bin not null,
    -- ISO 3166-1 alpha-2
    country char(2) character set ascii collate ascii_bin not null,
    postal_code varchar(16) character set ascii collate ascii_bin not null,
    line1 varchar(200) not null,
    line2 varchar(200) not null,
    is_default boolean not null,
    created_at datetime(6) not null,
    constraint addresses_pk primary key (address_id),
    key addresses_of (user_id, created_at),
    constraint addresses_user foreign key (user_id) references users (user_id)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
