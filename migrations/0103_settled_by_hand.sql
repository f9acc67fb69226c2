-- Orders that an older back-office had settled by hand: they say so, as those of this one do.
update orders o join order_events e on e.order_id = o.order_id and e.kind = 'decided'
    and json_unquote(json_extract(e.data, '$.decision')) = 'settled_by_hand'
    set o.reason = 'settled_by_hand'
    where o.captured_amount = 0 and o.state in ('undoing', 'cancelled');
