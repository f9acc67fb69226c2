-- Units that others have since a loss: money of a refund goes back, and nothing comes back.
alter table refund_lines
    drop constraint refund_lines_units,
    add constraint refund_lines_units check (units in ('restock', 'write_off', 'keep', 'lost'));
