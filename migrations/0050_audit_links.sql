-- The chain that the rows of audit_log form: each link has the hash of the link before it, and the hash of that and its own row's content.
-- The account of the programs may insert and select here and in audit_log, and nothing else: see `migrate --grant-to`.
create table if not exists audit_links (
    -- gapless, from 1
    position bigint unsigned not null,
    -- of the row in audit_log
    id bigint unsigned not null,
    previous binary(32) not null,
    hash binary(32) not null,
    constraint audit_links_pk primary key (position),
    constraint audit_links_id unique (id)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
