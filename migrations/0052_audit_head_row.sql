-- Before the first link: position 0, and a hash of zeros.
insert into audit_head (one, position, hash)
select 1, 0, repeat(x'00', 32) from (select 1 as one) here where not exists (select 1 from audit_head);
