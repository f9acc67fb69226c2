//! Holds every Lua file, as text, against its binding and against the rules of `lua/README.md`; needs no Redis.
//! It replaces a linter for the mistakes that matter here: an unused slot, a key that was not declared, a refusal
//! after a write.

use std::collections::BTreeSet;
use std::fs;

use doorbuster_core::gate::SCRIPTS;
use doorbuster_core::gate::script::{FENCE, Script};
use doorbuster_core::ids::{LiveId, SaleId};
use doorbuster_core::keys::Keys;

use crate::lua_text::{
    Parts, SECTIONS, calls, code, literals, named_slots, outcome_words, slots, words,
};

const READS: [&str; 15] = [
    "EXISTS", "GETBIT", "HGET", "HGETALL", "HLEN", "HMGET", "INFO", "LLEN", "LRANGE", "TIME",
    "XLEN", "XRANGE", "ZCARD", "ZMSCORE", "ZRANGE",
];
const WRITES: [&str; 12] = [
    "HDEL", "HSET", "LTRIM", "PUBLISH", "RENAME", "RPUSH", "SETBIT", "UNLINK", "XADD", "XTRIM",
    "ZADD", "ZREM",
];
const KEYLESS: [&str; 3] = ["INFO", "PUBLISH", "TIME"];

fn scripts() -> impl Iterator<Item = (&'static Script, Parts)> {
    SCRIPTS
        .iter()
        .filter(|script| script.name != FENCE.name)
        .map(|script| (*script, Parts::of(script)))
}

fn stems(folder: &str, ending: &str) -> BTreeSet<String> {
    let path = format!("{}/{folder}", env!("CARGO_MANIFEST_DIR"));
    let names = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .filter_map(|name| Some(name.strip_suffix(ending)?.to_string()))
        .collect()
}

#[test]
fn every_file_has_a_binding_a_test_file_and_a_line_in_the_readme() {
    let bound: BTreeSet<String> = SCRIPTS
        .iter()
        .map(|script| script.name.to_string())
        .collect();
    assert_eq!(stems("../../lua", ".lua"), bound);
    assert_eq!(bound.len(), SCRIPTS.len(), "two bindings of one name");
    assert!(
        bound.is_subset(&stems("tests/it", ".rs")),
        "a script without a test file"
    );
    let readme = include_str!("../../../../lua/README.md");
    for script in SCRIPTS {
        assert_eq!(
            readme
                .matches(&format!("| `{}.lua` |", script.name))
                .count(),
            1,
            "{}",
            script.name
        );
    }
}

#[test]
fn the_readme_maps_every_key() {
    let keys = Keys::of(&LiveId::Sale(SaleId::parse("x").unwrap()));
    let readme = include_str!("../../../../lua/README.md");
    for key in [
        keys.sale,
        keys.stock,
        keys.users,
        keys.records,
        keys.order,
        keys.paying,
        keys.adjusts,
        keys.returns,
        keys.journal,
        keys.line,
        keys.places,
        keys.offered,
        keys.admitted,
        keys.served,
        keys.over,
        keys.alive,
        keys.moves,
        keys.rebuild,
        keys.next_users,
        keys.next_records,
        keys.next_order,
        keys.next_paying,
        keys.next_adjusts,
        keys.next_returns,
    ] {
        let name = key.strip_prefix("{sale:x}").unwrap();
        assert_eq!(
            readme.matches(&format!("| `<tag>{name}` |")).count(),
            1,
            "{name}"
        );
    }
}

#[test]
fn headers_are_whole_and_in_order() {
    for (script, parts) in scripts() {
        let name = script.name;
        let found: Vec<&str> = parts.sections.iter().map(|(section, _)| *section).collect();
        assert_eq!(found, SECTIONS, "{name}");
        assert!(
            parts.sections.iter().all(|(_, text)| !text.is_empty()),
            "{name}: an empty section"
        );
        assert!(
            parts.title.starts_with(&format!("--[[ {name}: ")),
            "{name}: {}",
            parts.title
        );
        let reads_only = parts.section("WRITES") == "nothing";
        assert_eq!(
            parts.shebang == "#!lua flags=no-writes",
            reads_only,
            "{name}: {}",
            parts.shebang
        );
        assert!(
            reads_only || ["#!lua", "#!lua flags=allow-oom"].contains(&parts.shebang),
            "{name}: {}",
            parts.shebang
        );
    }
}

#[test]
fn what_redis_is_given_begins_with_the_shebang_and_the_fence() {
    for (script, parts) in scripts() {
        let expected = format!(
            "{}\n{}\n--[[ {}: ",
            parts.shebang, FENCE.source, script.name
        );
        assert!(
            script.loaded().source.starts_with(&expected),
            "{}",
            script.name
        );
    }
}

#[test]
fn slots_are_those_of_the_binding() {
    for (script, parts) in scripts() {
        assert_eq!(
            slots(parts.section("KEYS")),
            script.keys,
            "{} KEYS",
            script.name
        );
        assert_eq!(
            slots(parts.section("ARGV")),
            script.argv,
            "{} ARGV",
            script.name
        );
    }
}

#[test]
fn the_prologue_names_every_slot_once() {
    for (script, parts) in scripts() {
        for (table, names, suffix) in [("KEYS", script.keys, "_key"), ("ARGV", script.argv, "")] {
            let expected: Vec<(usize, String)> = names
                .iter()
                .enumerate()
                .map(|(i, name)| (i + 1, format!("{name}{suffix}")))
                .collect();
            assert_eq!(
                named_slots(&parts.prologue, table),
                expected,
                "{} {table}",
                script.name
            );
            let mentions = parts.prologue.matches(&format!("{table}[")).count();
            assert_eq!(
                mentions,
                names.len(),
                "{} {table}: a slot is read twice",
                script.name
            );
        }
    }
}

#[test]
fn below_the_prologue_only_the_repeated_tail_is_read_by_index() {
    for (script, parts) in scripts() {
        let (below, has_tail) = (
            parts.below_the_prologue(),
            parts.section("ARGV").contains("then per"),
        );
        assert!(
            !below.contains("KEYS"),
            "{}: KEYS below the prologue",
            script.name
        );
        assert_eq!(
            below.contains("#ARGV"),
            has_tail,
            "{}: a tail is announced or walked",
            script.name
        );
        for index in below.split("ARGV[").skip(1) {
            let first = words(index)[0];
            assert!(
                has_tail && ["i", "at", "run_at"].contains(&first),
                "{}: ARGV[{first}",
                script.name
            );
        }
    }
}

#[test]
fn every_slot_is_used() {
    for (script, parts) in scripts() {
        let text = format!("{}\n{}", parts.prologue, parts.below_the_prologue());
        let words = words(&text);
        let slots = named_slots(&parts.prologue, "KEYS")
            .into_iter()
            .chain(named_slots(&parts.prologue, "ARGV"));
        for (_, name) in slots {
            assert!(
                words.iter().filter(|word| **word == name).count() > 1,
                "{}: {name} is never used",
                script.name
            );
        }
    }
}

#[test]
fn outcome_words_are_those_of_the_binding_and_of_the_body() {
    for (script, parts) in scripts() {
        let (name, announced) = (script.name, outcome_words(parts.section("RETURNS")));
        let outcomes: BTreeSet<&str> = script.outcomes.iter().copied().collect();
        assert_eq!(
            announced.iter().copied().collect::<BTreeSet<_>>(),
            outcomes,
            "{name}"
        );
        assert_eq!(
            (announced.len(), script.outcomes.len()),
            (outcomes.len(), outcomes.len()),
            "{name}: a word twice"
        );
        let below = parts.below_the_prologue();
        let asks_the_fence = words(&below)
            .iter()
            .any(|word| ["fence", "head"].contains(word));
        let mut said = literals(&below);
        if asks_the_fence {
            said.extend(FENCE.outcomes);
            assert!(
                FENCE.outcomes.iter().all(|word| outcomes.contains(word)),
                "{name}: a refusal of the fence is missing"
            );
        }
        assert!(
            outcomes.is_subset(&said),
            "{name}: announced, but never said: {:?}",
            outcomes.difference(&said)
        );
        for reply in below.split("return { '").skip(1) {
            let word = reply.split('\'').next().unwrap_or("");
            assert!(
                outcomes.contains(word),
                "{name}: said, but not announced: {word}"
            );
        }
    }
    let fence = literals(FENCE.source);
    assert!(FENCE.outcomes.iter().all(|word| fence.contains(word)));
}

#[test]
fn nothing_is_written_above_the_caption_and_nothing_refused_below_it() {
    for (script, parts) in scripts() {
        let name = script.name;
        for (command, _) in calls(&parts.prologue)
            .into_iter()
            .chain(calls(&parts.decision))
        {
            assert!(
                READS.contains(&command),
                "{name}: {command} above the write caption"
            );
        }
        let returns = words(&parts.write)
            .into_iter()
            .filter(|word| *word == "return")
            .count();
        assert_eq!(
            returns,
            usize::from(!parts.write.is_empty()),
            "{name}: one way out below the write caption"
        );
        let last = parts.write.lines().last().unwrap_or("return { ");
        assert!(
            last.starts_with("return { "),
            "{name}: the reply comes last"
        );
        assert!(
            !parts.write.contains("error"),
            "{name}: an error below the write caption"
        );
    }
    assert!(
        calls(&code(FENCE.source).join("\n"))
            .iter()
            .all(|(command, _)| READS.contains(command))
    );
}

#[test]
fn the_writes_section_names_what_is_written() {
    for (script, parts) in scripts() {
        let section = parts.section("WRITES").split('(').next().unwrap_or("");
        let (keys, publishes) = section
            .split_once(';')
            .map_or((section, ""), |(keys, rest)| (keys, rest));
        let announced: BTreeSet<&str> = keys
            .split(',')
            .map(str::trim)
            .filter(|key| *key != "nothing")
            .collect();
        let calls = calls(&parts.write);
        for (command, _) in &calls {
            assert!(
                WRITES.contains(command) || READS.contains(command),
                "{}: {command}?",
                script.name
            );
        }
        let written = calls
            .iter()
            .filter(|(command, _)| WRITES.contains(command) && !KEYLESS.contains(command));
        let written: BTreeSet<&str> = written
            .map(|(_, key)| key.trim_end_matches("_key"))
            .collect();
        assert_eq!(announced, written, "{}", script.name);
        let published = calls.iter().any(|(command, _)| *command == "PUBLISH");
        assert_eq!(
            publishes.contains("publishes"),
            published,
            "{}",
            script.name
        );
    }
}

#[test]
fn only_declared_keys_are_touched() {
    for (script, parts) in scripts() {
        let keys: Vec<String> = script.keys.iter().map(|key| format!("{key}_key")).collect();
        for (command, key) in calls(&parts.below_the_prologue()) {
            let declared = keys.iter().any(|declared| declared == key);
            assert!(
                declared || KEYLESS.contains(&command),
                "{}: {command} {key}",
                script.name
            );
        }
    }
}

#[test]
fn no_script_hides_a_failure_or_lets_a_key_expire() {
    for script in SCRIPTS {
        for banned in [
            "pcall",
            "EXPIRE",
            "SETEX",
            "'PX'",
            "'EX'",
            "redis.setresp",
            "math.random",
        ] {
            assert!(!script.source.contains(banned), "{}: {banned}", script.name);
        }
    }
}
