-- The shop's categories, a tree. Its depth and its freedom from cycles are checked by one change after the other: each first locks its row of shop_versions.
create table if not exists categories (
    category_id varchar(64) character set ascii collate ascii_bin not null,
    -- null: at the top
    parent_id varchar(64) character set ascii collate ascii_bin null,
    title_ko varchar(200) not null,
    title_en varchar(200) not null,
    -- order among those of one parent
    position int unsigned not null,
    version int unsigned not null,
    created_at datetime(6) not null,
    updated_at datetime(6) not null,
    constraint categories_pk primary key (category_id),
    constraint categories_parent foreign key (parent_id) references categories (category_id)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
