-- Engines that are alive, by their heartbeat, and the Redis process that each has reported its sightings for.
create table if not exists engines (
    engine_id binary(16) not null,
    seen_at datetime(3) not null,
    -- the server run_id up to whose start engine_sightings of this engine are complete; '' before the first
    run_id varchar(64) character set ascii collate ascii_bin not null,
    constraint engines_pk primary key (engine_id)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
