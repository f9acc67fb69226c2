-- Mails to be sent, written with what they tell of, in one transaction. A mail that is sent is gone. The text is made when it is sent, and
-- a token in it is made of the nonce and the server's secret: nothing here lets anybody in.
create table if not exists mails (
    mail_id bigint unsigned not null auto_increment,
    kind varchar(32) character set ascii collate ascii_bin not null,
    language varchar(2) character set ascii collate ascii_bin not null,
    recipient varchar(254) character set ascii collate ascii_bin not null,
    nonce binary(16) null,
    state varchar(16) character set ascii collate ascii_bin not null,
    tries int unsigned not null,
    next_try_at datetime(3) not null,
    -- after this it would tell of something that is over
    expires_at datetime(3) not null,
    created_at datetime(6) not null,
    -- why it was not sent: a class, never the server's words, which name people
    error varchar(32) character set ascii collate ascii_bin null,
    constraint mails_pk primary key (mail_id),
    key mails_due (state, next_try_at),
    key mails_recipient (recipient),
    constraint mails_state check (state in ('waiting', 'dead')),
    constraint mails_language check (language in ('ko', 'en'))
) engine=innodb default charset=utf8mb4 collate=utf8mb4_bin;
