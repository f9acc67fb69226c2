//! What `show grants` says of an account, read for one question: may it alter a table that only grows? Pure. Called by `guard`.
//!
//! Whatever is not known to be harmless there is not allowed: rights come in at the server, at a database, whose name may be a pattern, at the
//! table, at columns of it, and by roles. What cannot be read is not harmless.

/// Rights with which no row of a table is changed or taken away. DROP is none of them: it lets an account truncate, past all triggers.
const HARMLESS: [&str; 20] = [
    "USAGE",
    "SELECT",
    "INSERT",
    "REFERENCES",
    "INDEX",
    "CREATE",
    "CREATE VIEW",
    "SHOW VIEW",
    "CREATE ROUTINE",
    "EXECUTE",
    "EVENT",
    "CREATE TEMPORARY TABLES",
    "LOCK TABLES",
    "SHOW DATABASES",
    "PROCESS",
    "RELOAD",
    "REPLICATION CLIENT",
    "BINLOG MONITOR",
    "REPLICATION SLAVE",
    "SLAVE MONITOR",
];

/// One line of `show grants`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Grant {
    /// Rights that reach the tables asked about, and can alter them.
    Harmful(String),
    Harmless,
    /// Further rights are those of these roles.
    Roles(Vec<String>),
    Unreadable,
}

/// `line` as it concerns `tables` of `database`.
pub(super) fn read(line: &str, database: &str, tables: &[&str]) -> Grant {
    let Some(rest) = line.strip_prefix("GRANT ") else {
        // What MySQL takes away again in part, and which role is the default.
        let is_less = line.starts_with("REVOKE ") || line.starts_with("SET DEFAULT ROLE ");
        return if is_less {
            Grant::Harmless
        } else {
            Grant::Unreadable
        };
    };
    let mut words = Words(rest);
    let (mut rights, mut right) = (Vec::new(), String::new());
    let object = loop {
        match words.next() {
            None => return Grant::Unreadable,
            // Of the columns no more than the right itself matters.
            Some("(") => {
                if !words.by_ref().any(|word| word == ")") {
                    return Grant::Unreadable;
                }
            }
            Some(",") => rights.push(std::mem::take(&mut right)),
            Some("ON") => break true,
            Some("TO") => break false,
            Some(word) => {
                if !right.is_empty() && word != "@" && !right.ends_with('@') {
                    right.push(' ');
                }
                right.push_str(word);
            }
        }
    };
    rights.push(right);
    if !object {
        return Grant::Roles(rights);
    }
    if !reaches(&mut words, database, tables).unwrap_or(true) {
        return Grant::Harmless;
    }
    let harmful = rights.into_iter().find(|right| {
        let right = right.to_ascii_uppercase();
        !HARMLESS.contains(&right.as_str())
    });
    harmful.map_or(Grant::Harmless, Grant::Harmful)
}

/// Whether what follows ON is one of the tables, or all of something that has them. `None`: it cannot be read.
fn reaches(words: &mut Words<'_>, database: &str, tables: &[&str]) -> Option<bool> {
    let mut first = words.next()?;
    match first {
        "PROCEDURE" | "FUNCTION" | "PACKAGE" => return Some(false),
        "TABLE" => first = words.next()?,
        _ => {}
    }
    if words.next()? != "." {
        return None;
    }
    let second = words.next()?;
    let is_table = |name: &str| {
        let name = bare(name);
        tables.iter().any(|table| table.eq_ignore_ascii_case(&name))
    };
    Some(match (first, second) {
        ("*", "*") => true,
        (pattern, "*") => is_like(&bare(pattern), database),
        (name, table) => bare(name).eq_ignore_ascii_case(database) && is_table(table),
    })
}

/// A name without its quotes.
fn bare(name: &str) -> String {
    let quoted = name.strip_prefix('`').and_then(|n| n.strip_suffix('`'));
    quoted.map_or_else(|| name.to_owned(), |name| name.replace("``", "`"))
}

/// Whether a database's name fits a pattern of rights: `%` is anything, `_` one character, `\` takes either as it is.
fn is_like(pattern: &str, name: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => name.is_empty(),
        Some('%') => {
            let ends = name.char_indices().map(|(at, _)| at);
            ends.chain([name.len()])
                .any(|at| is_like(rest.as_str(), &name[at..]))
        }
        Some(wanted) => {
            let is_any = wanted == '_';
            let wanted = if wanted == '\\' {
                rest.next().unwrap_or('\\')
            } else {
                wanted
            };
            let mut name = name.chars();
            let fits = |c: char| is_any || c.eq_ignore_ascii_case(&wanted);
            name.next().is_some_and(fits) && is_like(rest.as_str(), name.as_str())
        }
    }
}

/// Words, names in backticks or quotes, and single signs.
struct Words<'a>(&'a str);

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.0.trim_start();
        let first = text.chars().next()?;
        let end = match first {
            '`' | '\'' | '"' => {
                let mut end = first.len_utf8();
                loop {
                    end += text[end..].find(first)? + 1;
                    // A quote within a name is written twice.
                    if !text[end..].starts_with(first) {
                        break end;
                    }
                    end += 1;
                }
            }
            c if c.is_alphanumeric() || c == '_' => text
                .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$' || c == '-'))
                .unwrap_or(text.len()),
            c => c.len_utf8(),
        };
        let (word, rest) = text.split_at(end);
        self.0 = rest;
        Some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Grant {
        read(line, "shop_1", &["audit_log", "audit_links"])
    }

    #[test]
    fn what_cannot_alter_the_log_is_harmless() {
        for line in [
            "GRANT USAGE ON *.* TO `a`@`%` IDENTIFIED BY PASSWORD '*AB'",
            "GRANT SELECT, INSERT ON `shop_1`.`audit_log` TO `a`@`%`",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON `shop_1`.`users` TO `a`@`%`",
            "GRANT ALL PRIVILEGES ON `other`.* TO `a`@`%`",
            "GRANT ALL PRIVILEGES ON `shop\\_2`.* TO `a`@`%`",
            "GRANT SELECT, SHOW VIEW, CREATE TEMPORARY TABLES ON `shop_1`.* TO `a`@`%` WITH GRANT OPTION",
            "GRANT UPDATE ON `other`.`audit_log` TO `a`@`%`",
            "GRANT EXECUTE ON PROCEDURE `shop_1`.`p` TO `a`@`%`",
            "REVOKE UPDATE ON `shop_1`.* FROM `a`@`%`",
            "SET DEFAULT ROLE `r` FOR `a`@`%`",
        ] {
            assert_eq!(of(line), Grant::Harmless, "{line}");
        }
    }

    #[test]
    fn what_can_is_found_wherever_it_comes_in() {
        for (line, right) in [
            ("GRANT SELECT, UPDATE ON *.* TO `a`@`%`", "UPDATE"),
            (
                "GRANT ALL PRIVILEGES ON `shop_1`.* TO `a`@`%`",
                "ALL PRIVILEGES",
            ),
            ("GRANT DELETE ON `shop\\_1`.* TO `a`@`%`", "DELETE"),
            ("GRANT DROP ON `shop_1`.* TO `a`@`%`", "DROP"),
            ("GRANT ALTER ON `s%`.* TO `a`@`%`", "ALTER"),
            ("GRANT TRIGGER ON `shop__`.* TO `a`@`%`", "TRIGGER"),
            (
                "GRANT INSERT, DELETE ON `shop_1`.`audit_links` TO `a`@`%`",
                "DELETE",
            ),
            (
                "GRANT SELECT, UPDATE (actor, at), INSERT ON `SHOP_1`.`audit_log` TO `a`@`%`",
                "UPDATE",
            ),
            ("GRANT SUPER ON *.* TO `a`@`%`", "SUPER"),
            (
                "GRANT SYSTEM_USER,SYSTEM_VARIABLES_ADMIN ON *.* TO `a`@`%`",
                "SYSTEM_USER",
            ),
        ] {
            assert_eq!(of(line), Grant::Harmful(right.to_owned()), "{line}");
        }
    }

    #[test]
    fn roles_are_named_and_what_is_not_understood_is_not_trusted() {
        let roles =
            |names: &[&str]| Grant::Roles(names.iter().map(|&name| name.to_owned()).collect());
        assert_eq!(of("GRANT `r` TO `a`@`%`"), roles(&["`r`"]));
        let two = "GRANT `r`@`%`,`s`@`%` TO `a`@`%` WITH ADMIN OPTION";
        assert_eq!(of(two), roles(&["`r`@`%`", "`s`@`%`"]));
        for line in ["", "GRANT", "GRANT UPDATE (x ON *.*", "GRANT `r TO a"] {
            assert_eq!(of(line), Grant::Unreadable, "{line}");
        }
        assert_eq!(
            of("GRANT PROXY ON ''@'%' TO 'root'@'localhost'"),
            Grant::Harmful("PROXY".to_owned())
        );
    }
}
