-- The password comes with the confirmation now: whoever asks for an account may be another than the owner of the address. Nobody reads the column
-- any more; it goes in a later release.
alter table sign_ups modify column password_hash varchar(255) character set ascii collate ascii_bin null;
