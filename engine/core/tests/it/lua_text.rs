//! A Lua file taken apart as text: its header's sections, its prologue, and what stands above and below the write
//! caption. Used by `contract`. It knows the house style of `lua/`, not Lua.

use std::collections::BTreeSet;

use doorbuster_core::gate::script::Script;

pub(crate) const SECTIONS: [&str; 6] = ["KEYS", "ARGV", "RETURNS", "WRITES", "REPLAY", "COST"];
/// One script, cut at its header's end and its captions.
pub(crate) struct Parts {
    pub(crate) shebang: &'static str,
    pub(crate) title: &'static str,
    pub(crate) sections: Vec<(&'static str, String)>,
    pub(crate) prologue: String,
    /// Read and refuse.
    pub(crate) decision: String,
    /// Empty in a script that only reads.
    pub(crate) write: String,
}

impl Parts {
    pub(crate) fn of(script: &Script) -> Self {
        let name = script.name;
        let (head, body) = script
            .source
            .split_once("]]\n")
            .unwrap_or_else(|| panic!("{name}: no header"));
        let (shebang, header) = head
            .split_once('\n')
            .unwrap_or_else(|| panic!("{name}: no header"));
        let code = code(body);
        let at = |caption: &str| {
            let starts: Vec<usize> = (body.lines().enumerate())
                .filter(|(_, line)| line.split([':', ',', ' ']).take(2).eq(["--", caption]))
                .map(|(i, _)| i)
                .collect();
            assert!(starts.len() <= 1, "{name}: the caption {caption} twice");
            starts.first().copied()
        };
        let (read, refuse) = (at("read"), at("refuse"));
        let (Some(read), Some(refuse)) = (read, refuse) else {
            panic!("{name}: a caption is missing")
        };
        let write = at("write").unwrap_or(code.len());
        assert!(
            read < refuse && refuse < write,
            "{name}: the captions are out of order"
        );
        Self {
            shebang,
            title: header.lines().next().unwrap_or(""),
            sections: sections(header),
            prologue: code[..read].join("\n"),
            decision: code[read..write].join("\n"),
            write: code[write..].join("\n"),
        }
    }

    pub(crate) fn section(&self, name: &str) -> &str {
        self.sections
            .iter()
            .find(|(section, _)| *section == name)
            .map_or("", |(_, text)| text)
    }

    pub(crate) fn below_the_prologue(&self) -> String {
        format!("{}\n{}", self.decision, self.write)
    }
}

fn sections(header: &'static str) -> Vec<(&'static str, String)> {
    let mut sections: Vec<(&str, String)> = Vec::new();
    for line in header.lines() {
        let first = line.split(' ').next().unwrap_or("");
        if SECTIONS.contains(&first) {
            sections.push((first, line[first.len()..].trim().to_string()));
        } else if let (Some((_, text)), true) = (sections.last_mut(), line.starts_with("        "))
        {
            text.push('\n');
            text.push_str(line.trim());
        }
    }
    sections
}

/// The lines without comments.
pub(crate) fn code(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| line.split("--").next().unwrap_or("").trim_end().to_string())
        .collect()
}

/// Words outside of string literals.
pub(crate) fn words(text: &str) -> Vec<&str> {
    let outside = text.split('\'').step_by(2);
    outside
        .flat_map(|part| part.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'))
        .collect()
}

pub(crate) fn literals(text: &str) -> BTreeSet<&str> {
    text.split('\'').skip(1).step_by(2).collect()
}

/// Command and first argument of every `redis.call`.
pub(crate) fn calls(text: &str) -> Vec<(&str, &str)> {
    let calls = text.split("redis.call('").skip(1);
    calls
        .map(|call| {
            let (command, rest) = call.split_once('\'').expect("a command is a literal");
            (
                command,
                rest.trim_start_matches(", ")
                    .split([',', ')'])
                    .next()
                    .unwrap_or(""),
            )
        })
        .collect()
}

/// `1 call  2 epoch` as names, in order; the repeated tail is not part of it.
pub(crate) fn slots(section: &str) -> Vec<&str> {
    let listed = section.split("then per").next().unwrap_or("");
    let tokens: Vec<&str> = listed.split_whitespace().collect();
    for (i, pair) in tokens.chunks(2).enumerate() {
        assert_eq!(
            pair[0],
            (i + 1).to_string(),
            "slots are numbered from 1: {section}"
        );
    }
    tokens.chunks(2).map(|pair| pair[1]).collect()
}

pub(crate) fn outcome_words(returns: &str) -> Vec<&str> {
    let alternatives = returns.split("words:").flat_map(|list| list.split('|'));
    alternatives
        .filter_map(|one| one.split_whitespace().next())
        .collect()
}

/// Slot expression and local name, as the prologue pairs them: `local a, b = KEYS[1], tonumber(ARGV[1])`.
pub(crate) fn named_slots(prologue: &str, table: &str) -> Vec<(usize, String)> {
    let mut named = Vec::new();
    for line in prologue
        .lines()
        .filter_map(|line| line.strip_prefix("local "))
    {
        let Some((names, values)) = line.split_once(" = ") else {
            continue;
        };
        for (name, value) in names.split(", ").zip(values.split(", ")) {
            if let Some((_, index)) = value.split_once(&format!("{table}[")) {
                let index = index
                    .split(']')
                    .next()
                    .and_then(|i| i.parse().ok())
                    .expect("slots are numbers");
                named.push((index, name.to_string()));
            }
        }
    }
    named
}
