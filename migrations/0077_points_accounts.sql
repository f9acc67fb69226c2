-- Points of a buyer, one worth one minor unit of the currency. The balance is the sum of his entries; version counts them.
create table if not exists points_accounts (
    user_id varchar(64) character set ascii collate ascii_bin not null,
    currency char(3) character set ascii collate ascii_bin not null,
    balance bigint not null,
    version int unsigned not null,
    -- of the entries that expire: the soonest that nobody has looked at yet
    next_expiry_at datetime(3) null,
    constraint points_accounts_pk primary key (user_id, currency),
    key points_accounts_expiry (next_expiry_at),
    constraint points_accounts_balance check (balance >= 0)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
