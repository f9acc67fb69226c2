-- Places that accounts are used from: whoever comes from one is not held up by what strangers try in his name.
create table if not exists known_places (
    -- HMAC of account and place, so that neither can be told from it
    place_hash binary(32) not null,
    user_id varchar(64) character set ascii collate ascii_bin not null,
    seen_at datetime(3) not null,
    constraint known_places_pk primary key (place_hash),
    key known_places_of (user_id, seen_at),
    key known_places_seen (seen_at),
    constraint known_places_user foreign key (user_id) references users (user_id)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
