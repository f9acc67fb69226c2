-- What a month owes its sellers. Money moves outside of this program; finance says when it has.
create table if not exists payouts (
    period varchar(10) character set ascii collate ascii_bin not null,
    seller_id varchar(64) character set ascii collate ascii_bin not null,
    currency char(3) character set ascii collate ascii_bin not null,
    amount bigint not null,
    state varchar(8) character set ascii collate ascii_bin not null,
    -- of the bank's transfer, and who said so
    reference varchar(100) null,
    paid_by varchar(64) character set ascii collate ascii_bin null,
    paid_at datetime(3) null,
    constraint payouts_pk primary key (period, seller_id, currency),
    constraint payouts_states check (state in ('due', 'paid')),
    constraint payouts_paid check ((state = 'paid') = (reference is not null and paid_by is not null and paid_at is not null)),
    constraint payouts_amount check (amount > 0)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
