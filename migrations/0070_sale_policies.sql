-- What a sale's orders go by. A sale without a row: late payments take units again, nothing is charged for shipping, no points are earned.
create table if not exists sale_policies (
    sale_id varchar(64) character set ascii collate ascii_bin not null,
    -- what becomes of money that arrives after the hold has ended
    late_payment varchar(16) character set ascii collate ascii_bin not null,
    -- minor units of the sale's currency; free where the lines come to free_from or more
    shipping_fee bigint not null,
    free_from bigint null,
    -- points for what was paid, in thousandths
    earn_per_mille int unsigned not null,
    updated_at datetime(6) not null,
    constraint sale_policies_pk primary key (sale_id),
    constraint sale_policies_sale foreign key (sale_id) references sales (sale_id),
    constraint sale_policies_late check (late_payment in ('reacquire', 'refund', 'park')),
    constraint sale_policies_amounts check (shipping_fee >= 0 and (free_from is null or free_from >= 0) and earn_per_mille <= 1000)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
