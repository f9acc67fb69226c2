-- What buyers were told, counted by engines and added up here once a second: for those who watch a sale, not for the books.
create table if not exists sale_answers (
    sale_id varchar(80) character set ascii collate ascii_bin not null,
    -- `ok`, or the refusal's
    code varchar(32) character set ascii collate ascii_bin not null,
    answers bigint unsigned not null,
    updated_at datetime(3) not null,
    constraint sale_answers_pk primary key (sale_id, code)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
