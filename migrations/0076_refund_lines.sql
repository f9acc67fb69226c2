-- The lines of a refund: what of its money and points is theirs, and what becomes of their units.
create table if not exists refund_lines (
    refund_id binary(16) not null,
    sku varchar(64) character set ascii collate ascii_bin not null,
    quantity int unsigned not null,
    amount bigint not null,
    points bigint not null,
    -- restock: on sale again; write_off: gone; keep: the buyer keeps them
    units varchar(16) character set ascii collate ascii_bin not null,
    constraint refund_lines_pk primary key (refund_id, sku),
    constraint refund_lines_quantity check (quantity > 0),
    constraint refund_lines_amounts check (amount >= 0 and points >= 0),
    constraint refund_lines_units check (units in ('restock', 'write_off', 'keep'))
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
