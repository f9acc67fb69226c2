-- Points that staff give or take, and that expire, are posted too: an account of points is a source, each of its entries a transaction.
alter table ledger_postings
    drop constraint ledger_postings_source,
    add constraint ledger_postings_source check (source in ('order', 'fee', 'payout', 'points'));
