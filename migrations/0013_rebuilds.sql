-- The last rebuild of each sale that had one: who asked, how far it is, what came of it.
create table if not exists rebuilds (
    sale_id varchar(80) character set ascii collate ascii_bin not null,
    -- the generation that it makes
    epoch int unsigned not null,
    -- counts the times that engines were asked to hand over what the books have not got; an answer is for one of them
    ask int unsigned not null,
    -- requested by staff, not begun; asked: engines hand over; loading: the books are settled; done; waits: for a person, see why
    state varchar(16) character set ascii collate ascii_bin not null,
    why varchar(1000) not null,
    -- what was found, taken over and lost
    report json null,
    -- by staff, until it is answered
    requested_at datetime(6) null,
    began_at datetime(6) null,
    ended_at datetime(6) null,
    constraint rebuilds_pk primary key (sale_id),
    constraint rebuilds_state check (state in ('requested', 'asked', 'loading', 'done', 'waits'))
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
