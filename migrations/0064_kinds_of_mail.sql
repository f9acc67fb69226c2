-- An address is where things are sent; what mails go to is an e-mail address, and kinds of mail say so.
update mails set kind = case kind
        when 'confirm_address' then 'confirm_email'
        when 'change_address' then 'change_email'
        when 'address_in_use' then 'email_in_use'
        else 'email_changed' end
    where kind in ('confirm_address', 'change_address', 'address_in_use', 'address_changed');
