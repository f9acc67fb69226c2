-- The line of a sale that has a waiting room: what staff chose, and what is published of its draw before it.
create table if not exists sale_lines (
    sale_id varchar(64) character set ascii collate ascii_bin not null,
    -- mode, rate, factor, life of a place, draw, invites
    settings json not null,
    -- hex, from when the sale is published on; commitment: SHA-256 of the draw's secret
    draw_salt char(32) character set ascii collate ascii_bin null,
    draw_commitment char(64) character set ascii collate ascii_bin null,
    constraint sale_lines_pk primary key (sale_id),
    constraint sale_lines_sale foreign key (sale_id) references sales (sale_id),
    constraint sale_lines_pledge check ((draw_salt is null) = (draw_commitment is null))
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
