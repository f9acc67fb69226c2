-- Where words, and runs of Hangul, begin in search_text: the first bytes from there on. A search looks its own first bytes up.
-- No index by product: an edit derives what to delete from the search_text that it replaces.
create table if not exists search_grams (
    gram varbinary(12) not null,
    product_no int unsigned not null,
    constraint search_grams_pk primary key (gram, product_no)
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
