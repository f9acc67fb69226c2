-- What a seller's period comes to, in minor units: sales - returned - fee = net; net + carried_in is paid out, or carried on where it is negative.
create table if not exists statements (
    period varchar(10) character set ascii collate ascii_bin not null,
    seller_id varchar(64) character set ascii collate ascii_bin not null,
    currency char(3) character set ascii collate ascii_bin not null,
    entries bigint unsigned not null,
    -- of them, those that belong to a period closed before
    late_entries bigint unsigned not null,
    sales bigint not null,
    returned bigint not null,
    fee bigint not null,
    net bigint not null,
    carried_in bigint not null,
    -- SHA-256 of its CSV: a run that comes to another one is refused
    digest binary(32) not null,
    constraint statements_pk primary key (period, seller_id, currency),
    constraint statements_net check (sales - returned - fee = net)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
