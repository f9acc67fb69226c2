-- How far the goods of an order are. By hand, or by themselves at the times that staff has set.
create table if not exists deliveries (
    order_id binary(16) not null,
    state varchar(16) character set ascii collate ascii_bin not null,
    carrier varchar(100) null,
    tracking_number varchar(64) character set ascii collate ascii_bin null,
    -- when it goes on by itself: preparing → shipped → delivered
    next_at datetime(3) null,
    shipped_at datetime(3) null,
    delivered_at datetime(3) null,
    constraint deliveries_pk primary key (order_id),
    key deliveries_due (next_at),
    key deliveries_state (state),
    constraint deliveries_states check (state in ('preparing', 'shipped', 'delivered', 'stopped')),
    constraint deliveries_shipped check (state not in ('shipped', 'delivered') or (carrier is not null and tracking_number is not null and shipped_at is not null))
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
