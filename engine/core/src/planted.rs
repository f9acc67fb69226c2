//! Planted bugs: what this program guards against, done wrong on purpose, so that drills are seen to catch it.
//!
//! Only builds with the feature `planted-bugs` have them (`doorbuster-engine-drill`); in all others [`is`] is `false` and
//! a script is what its file says. A process has at most one, for its whole life. A bug of a script is a replacement in
//! its text when the gate loads it.

/// The bugs that a process can be armed with.
pub const BUGS: [&str; 14] = [
    "trim-before-commit",
    "cursor-outside-transaction",
    "no-idempotency-record",
    "stale-batch",
    "refusal-after-write",
    "limit-per-instance",
    "swallowed-script-error",
    "shield-without-holders",
    "shield-without-recheck",
    "sweep-without-deadline",
    "ttl-holds",
    "wall-clock",
    "no-run-id-check",
    "reopened-sale",
];

/// One bug of a script: which bug, which script, what stands there, what stands there instead.
#[cfg(any(test, feature = "planted-bugs"))]
struct Replacement(&'static str, &'static str, &'static str, &'static str);

#[cfg(any(test, feature = "planted-bugs"))]
const IN_SCRIPTS: [Replacement; 9] = [
    Replacement(
        "no-idempotency-record",
        "reserve",
        "if known[i] then records[ids[i]] = known[i] end",
        "",
    ),
    Replacement(
        "stale-batch",
        "reserve",
        "sku.left, sku.held = sku.left - quantity, sku.held + quantity",
        "sku.left, sku.held = s[sku.fields + 2] - quantity, s[sku.fields + 3] + quantity",
    ),
    Replacement(
        "refusal-after-write",
        "reserve",
        "outcome, a, b = refusal(wish, fields, field_at, users, ended_max)",
        "outcome, a, b = refusal(wish, fields, field_at, users, ended_max)\n\
         if outcome == 'sold_out' then redis.call('HINCRBY', stock_key, a .. '/held', 1) end",
    ),
    Replacement(
        "limit-per-instance",
        "reserve",
        "if limit > 0 and (users[fields[at + i]] or 0) + wish[i].quantity > limit then",
        "if limit > 0 and (redis.call('HGET', users_key .. '@{instance}', fields[at + i]) or 0) + wish[i].quantity > limit then",
    ),
    Replacement(
        "limit-per-instance",
        "reserve",
        "users[field] = count\n",
        "users[field] = count\nredis.call('HINCRBY', users_key .. '@{instance}', field, quantity)\n",
    ),
    Replacement(
        "sweep-without-deadline",
        "sweep",
        "if deadline_ms > h.now then",
        "if false then",
    ),
    Replacement(
        "ttl-holds",
        "reserve",
        "redis.call('HSET', records_key, unpack(rows))",
        "redis.call('HSET', records_key, unpack(rows))\nredis.call('PEXPIRE', records_key, h.hold_ms)",
    ),
    Replacement(
        "wall-clock",
        "fence",
        "local now = t[1] * 1000 + math.floor(t[2] / 1000)",
        "local now = caller_ms",
    ),
    Replacement(
        "no-run-id-check",
        "fence",
        "if h.run_id ~= server_run_id() then return nil, 'recovering', 'run_id' end",
        "",
    ),
];

/// Whether this process has this bug.
#[cfg(not(feature = "planted-bugs"))]
#[inline(always)]
pub const fn is(_bug: &str) -> bool {
    false
}

/// A script's text, with this process's bug where it is one of that script.
#[cfg(not(feature = "planted-bugs"))]
#[inline(always)]
pub(crate) const fn lua<'a>(_script: &str, source: &'a str) -> &'a str {
    source
}

#[cfg(feature = "planted-bugs")]
pub use armed::{arm, is};

#[cfg(feature = "planted-bugs")]
pub(crate) use armed::lua;

#[cfg(feature = "planted-bugs")]
mod armed {
    use std::sync::OnceLock;

    use super::{BUGS, IN_SCRIPTS, Replacement};

    static ARMED: OnceLock<&'static str> = OnceLock::new();

    /// Gives this process the bug, before it does anything; whether there is such a bug, and no other yet.
    pub fn arm(bug: &str) -> bool {
        let known = BUGS.into_iter().find(|known| *known == bug);
        known.is_some_and(|known| ARMED.set(known).is_ok())
    }

    pub fn is(bug: &str) -> bool {
        ARMED.get().is_some_and(|armed| *armed == bug)
    }

    pub(crate) fn lua(script: &str, source: &str) -> String {
        let mut text = source.to_owned();
        for Replacement(bug, of, from, to) in &IN_SCRIPTS {
            if is(bug) && *of == script {
                text = text.replace(
                    from,
                    &to.replace("{instance}", &std::process::id().to_string()),
                );
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::SCRIPTS;

    #[test]
    fn every_bug_of_a_script_has_its_one_place() {
        for Replacement(bug, name, from, to) in &IN_SCRIPTS {
            let script = SCRIPTS.iter().find(|script| script.name == *name);
            let source = script.map_or("", |script| script.source);
            assert_eq!(source.matches(from).count(), 1, "{bug} in {name}.lua");
            assert!(from != to && BUGS.contains(bug));
        }
    }

    #[cfg(not(feature = "planted-bugs"))]
    #[test]
    fn without_the_feature_there_are_none() {
        for bug in BUGS {
            assert!(!is(bug));
        }
        for script in SCRIPTS {
            assert_eq!(lua(script.name, script.source), script.source);
        }
    }
}
