-- The generation of each user's access tokens; lower ones are revoked. Redis has the last day of it for the engines to follow.
create table if not exists revocations (
    user_id varchar(64) character set ascii collate ascii_bin not null,
    generation bigint unsigned not null,
    raised_at datetime(6) not null,
    -- when Redis was told of this generation; null: it has to be
    published_at datetime(6) null,
    constraint revocations_pk primary key (user_id),
    key revocations_published (published_at, user_id),
    key revocations_raised (raised_at)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
