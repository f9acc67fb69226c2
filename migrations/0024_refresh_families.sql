-- Sign-ins. Each is a family of refresh tokens, of which only the newest is good; an older one that comes again ends the family.
create table if not exists refresh_families (
    family_id binary(16) not null,
    user_id varchar(64) character set ascii collate ascii_bin not null,
    -- of the newest token, counted from 1
    generation int unsigned not null,
    -- SHA-256 of the newest token's secret, and of the one before it
    token_hash binary(32) not null,
    previous_hash binary(32) null,
    created_at datetime(6) not null,
    refreshed_at datetime(6) not null,
    expires_at datetime(3) not null,
    ended_at datetime(6) null,
    end_reason varchar(16) character set ascii collate ascii_bin null,
    constraint refresh_families_pk primary key (family_id),
    key refresh_families_of (user_id, ended_at),
    key refresh_families_expires (expires_at),
    constraint refresh_families_reason check (end_reason in ('logout', 'logout_all', 'reuse', 'password', 'role', 'deactivated', 'erased')),
    constraint refresh_families_ended check ((ended_at is null) = (end_reason is null)),
    constraint refresh_families_user foreign key (user_id) references users (user_id)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
