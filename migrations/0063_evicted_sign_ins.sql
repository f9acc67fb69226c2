-- A sign-in that one more than a user may have puts out is not one that he ended.
alter table refresh_families
    drop constraint refresh_families_reason,
    add constraint refresh_families_reason
        check (end_reason in ('logout', 'logout_all', 'evicted', 'reuse', 'password', 'role', 'deactivated', 'erased'));
