-- The highest seq that an engine has seen of a sale when the Redis process changed: Redis must not be older when a writer vouches.
create table if not exists engine_sightings (
    engine_id binary(16) not null,
    sale_id varchar(80) character set ascii collate ascii_bin not null,
    epoch int unsigned not null,
    seq bigint unsigned not null,
    constraint engine_sightings_pk primary key (engine_id, sale_id)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
