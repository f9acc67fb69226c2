-- The ledger, double-entry: legs of a transaction sum to 0 in its currency. Rows are only added. Debits are positive, credits negative.
create table if not exists ledger_postings (
    -- an order and the number of its event; or a fee or a payout, each its own transaction 0
    source_id binary(16) not null,
    n int unsigned not null,
    leg tinyint unsigned not null,
    source varchar(8) character set ascii collate ascii_bin not null,
    account varchar(24) character set ascii collate ascii_bin not null,
    -- of the account seller_payable; else empty
    seller_id varchar(64) character set ascii collate ascii_bin not null,
    currency char(3) character set ascii collate ascii_bin not null,
    amount bigint not null,
    -- the day (UTC) that it counts in
    day date not null,
    -- the day on which it happened, where that was closed when it came
    belongs_to date null,
    constraint ledger_postings_pk primary key (source_id, n, leg),
    key ledger_postings_account (account, seller_id, currency, day, source_id, n, source, belongs_to, amount),
    constraint ledger_postings_amount check (amount <> 0),
    constraint ledger_postings_source check (source in ('order', 'fee', 'payout'))
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
