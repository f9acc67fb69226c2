-- Nothing is closed yet.
insert into ledger_head (id, closed_through)
select 1, '1970-01-01' from dual where not exists (select id from ledger_head);
