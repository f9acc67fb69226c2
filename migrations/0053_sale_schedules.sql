-- Drafts that open by themselves: when they are published, so that Redis has them ahead of their opening time. The opening and the closing
-- themselves are Redis's, by its clock. Back-offices take a due row for a while; whoever has taken it acts.
create table if not exists sale_schedules (
    sale_id varchar(64) character set ascii collate ascii_bin not null,
    publish_at datetime(3) not null,
    -- until then nobody else acts
    taken_until datetime(3) null,
    tries int unsigned not null,
    -- why it was not done the last time, or why it never can be: a problem's code
    problem varchar(64) character set ascii collate ascii_bin null,
    -- published, or found to be over
    done_at datetime(3) null,
    constraint sale_schedules_pk primary key (sale_id),
    constraint sale_schedules_sale foreign key (sale_id) references sales (sale_id),
    key sale_schedules_due (done_at, publish_at)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
