-- People who signed up here. A shop's own users, whose tokens it issues itself, are in none of these tables but revocations.
create table if not exists users (
    user_id varchar(64) character set ascii collate ascii_bin not null,
    -- in lower case; null once erased
    email varchar(254) character set ascii collate ascii_bin null,
    role varchar(16) character set ascii collate ascii_bin not null,
    state varchar(16) character set ascii collate ascii_bin not null,
    name varchar(100) not null,
    phone varchar(32) character set ascii collate ascii_bin null,
    -- in which mails are written
    language varchar(2) character set ascii collate ascii_bin not null,
    created_at datetime(6) not null,
    -- of the last change of state
    state_at datetime(6) not null,
    constraint users_pk primary key (user_id),
    constraint users_email unique (email),
    key users_created (created_at, user_id),
    key users_role (role, state),
    constraint users_roles check (role in ('buyer', 'operator', 'finance', 'admin')),
    constraint users_states check (state in ('active', 'deactivated', 'erased')),
    constraint users_languages check (language in ('ko', 'en')),
    constraint users_erased check ((state = 'erased') = (email is null))
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
