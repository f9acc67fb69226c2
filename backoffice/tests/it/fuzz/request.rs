//! Requests that an operation's description makes one think of: such as fit, such as lie at a bound, and such as are broken.

use serde_json::{Value, json};

use super::dice::Dice;
use super::schema::Schemas;

/// Texts that no parameter of ours wants.
const ODD: [&str; 12] = [
    "",
    " ",
    "..",
    "%",
    "a b",
    "\u{0}",
    "한글",
    "' or 1=1 -- ",
    "-1",
    "18446744073709551616",
    "null",
    "{\"a\":1}",
];

/// All parameters of an operation fit into a head, also where each character is written as nine.
const PARAMETER_CHARS_MAX: usize = 101;

/// One operation of a document.
#[derive(Clone, Copy)]
pub(super) struct Operation<'a> {
    pub(super) path: &'a str,
    pub(super) method: &'a str,
    pub(super) item: &'a Value,
    pub(super) described: &'a Value,
}

/// One request.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl<'a> Operation<'a> {
    /// Of the path and of the operation itself.
    fn parameters(self, schemas: Schemas<'a>) -> Vec<&'a Value> {
        let all = [&self.item["parameters"], &self.described["parameters"]];
        let all = all.into_iter().filter_map(Value::as_array).flatten();
        all.map(|one| schemas.resolved(one)).collect()
    }

    pub(super) fn make(self, schemas: Schemas<'a>, dice: &mut Dice, names: &[String]) -> Made {
        // Half of all fit in every part, so that handlers are reached.
        let is_broken = dice.one_in(2);
        let mut path = self.path.to_owned();
        let (mut query, mut headers) = (Vec::new(), Vec::new());
        for parameter in self.parameters(schemas) {
            let name = parameter["name"].as_str().unwrap();
            let is_required = parameter["required"] == true;
            let breaks = is_broken && dice.one_in(3);
            let fitting = schemas.value(&parameter["schema"], dice, names);
            let text = match fitting {
                Value::String(text) => text,
                other => other.to_string(),
            };
            let text = if breaks { odd(dice) } else { text };
            // A head has its bounds too, which are another test's.
            let text: String = text.chars().take(PARAMETER_CHARS_MAX).collect();
            match parameter["in"].as_str().unwrap() {
                "path" => path = path.replace(&format!("{{{name}}}"), &encoded(&text)),
                "query" if is_required || dice.one_in(3) => {
                    query.push(format!("{name}={}", encoded(&text)));
                }
                "header" if (is_required && !breaks) || dice.one_in(2) => {
                    let sent = |c: &char| ('\u{20}'..'\u{7f}').contains(c);
                    headers.push((name.to_lowercase(), text.chars().filter(sent).collect()));
                }
                _ => {}
            }
        }
        if is_broken && dice.one_in(6) {
            query.push(format!("fuzz={}", encoded(&odd(dice))));
        }
        if let (true, Some(first)) = (is_broken && dice.one_in(6), query.first().cloned()) {
            query.push(first);
        }
        if !query.is_empty() {
            path = format!("{path}?{}", query.join("&"));
        }
        let body = self.body(schemas, dice, names, (is_broken, &mut headers));
        Made {
            path,
            headers,
            body,
        }
    }

    fn body(
        self,
        schemas: Schemas<'a>,
        dice: &mut Dice,
        names: &[String],
        (is_broken, headers): (bool, &mut Vec<(String, String)>),
    ) -> Vec<u8> {
        let Some(content) = schemas.resolved(&self.described["requestBody"])["content"].as_object()
        else {
            return Vec::new();
        };
        let (media_type, described) = content.iter().next().unwrap();
        let mut value = schemas.value(&described["schema"], dice, names);
        if is_broken && dice.one_in(2) {
            spoil(&mut value, dice);
        }
        let mut body = if media_type == "application/json" {
            value.to_string().into_bytes()
        } else {
            let members = value.as_object().into_iter().flatten();
            let fields = members.map(|(name, value)| {
                let text = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                format!("{}={}", encoded(name), encoded(&text))
            });
            fields.collect::<Vec<String>>().join("&").into_bytes()
        };
        let mut sent_type = media_type.clone();
        if is_broken {
            match dice.below(14) {
                0 => body.truncate(dice.below(body.len())),
                1 => body.push(0xFF),
                2 => body = vec![b'['; 200],
                3 => body = vec![b' '; 70_000],
                4 => body.clear(),
                5 => sent_type = "text/plain".to_owned(),
                _ => {}
            }
        }
        if !(is_broken && dice.one_in(20)) {
            headers.push(("content-type".to_owned(), sent_type));
        }
        body
    }
}

/// Changes one place of it.
fn spoil(value: &mut Value, dice: &mut Dice) {
    let places = match value {
        Value::Object(members) => members.len(),
        Value::Array(items) => items.len(),
        _ => 0,
    };
    if places > 0 && !dice.one_in(3) {
        let at = dice.below(places);
        let inner = match value {
            Value::Object(members) => members.values_mut().nth(at),
            Value::Array(items) => items.get_mut(at),
            _ => None,
        };
        return spoil(inner.unwrap(), dice);
    }
    if let Value::Object(members) = value {
        match dice.below(3) {
            0 => {
                let name = members.keys().nth(dice.below(places)).cloned();
                name.map(|name| members.remove(&name));
                return;
            }
            1 => {
                members.insert("fuzz".to_owned(), json!(1));
                return;
            }
            _ => {}
        }
    }
    *value = match dice.below(10) {
        0 => Value::Null,
        1 => json!(-1),
        2 => json!(u64::MAX),
        3 => json!(1.5),
        4 => json!(true),
        5 => json!([]),
        6 => json!({}),
        7 => json!("x".repeat(20_000)),
        _ => json!(odd(dice)),
    };
}

fn odd(dice: &mut Dice) -> String {
    match dice.below(8) {
        0 => "y".repeat(300),
        _ => (*dice.pick(&ODD)).to_owned(),
    }
}

fn encoded(text: &str) -> String {
    let byte = |b: u8| {
        if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) {
            char::from(b).to_string()
        } else {
            format!("%{b:02X}")
        }
    };
    text.bytes().map(byte).collect()
}
