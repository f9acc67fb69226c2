-- Wish lists: products that a buyer wants to find again.
create table if not exists wishes (
    user_id varchar(64) character set ascii collate ascii_bin not null,
    product_no int unsigned not null,
    added_at datetime(3) not null,
    constraint wishes_pk primary key (user_id, product_no),
    constraint wishes_product foreign key (product_no) references products (product_no)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
