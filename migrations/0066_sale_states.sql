-- How staff has last switched a sale, for lists of the shop. Redis decides; no row: as it was opened.
create table if not exists sale_states (
    sale_id varchar(64) character set ascii collate ascii_bin not null,
    state varchar(16) character set ascii collate ascii_bin not null,
    -- of the switch, or of a later look at the sale: an older one never wins
    seq bigint unsigned not null,
    constraint sale_states_pk primary key (sale_id),
    constraint sale_states_state check (state in ('open', 'paused', 'closed'))
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
