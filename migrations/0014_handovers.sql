-- What engines hand over to a rebuild: events that they caused and had not seen in the books, in packed parts. Gone when it is done.
create table if not exists handovers (
    sale_id varchar(80) character set ascii collate ascii_bin not null,
    ask int unsigned not null,
    engine_id binary(16) not null,
    -- from 0; an engine that has nothing hands over one empty part
    part int unsigned not null,
    events mediumblob not null,
    constraint handovers_pk primary key (sale_id, ask, engine_id, part)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
