-- From what kind of program each sign-in came, so that its owner knows his own from a stranger's. A class: the header itself tells too much.
create table if not exists session_agents (
    family_id binary(16) not null,
    program varchar(16) character set ascii collate ascii_bin not null,
    platform varchar(16) character set ascii collate ascii_bin not null,
    constraint session_agents_pk primary key (family_id),
    constraint session_agents_family foreign key (family_id) references refresh_families (family_id) on delete cascade
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
