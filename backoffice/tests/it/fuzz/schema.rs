//! Values and the schemas of a document: whether one fits, and one that does.

use serde_json::{Map, Value, json};

use super::dice::Dice;

/// Deeper than any value of ours.
const DEPTH_MAX: u32 = 12;

/// A document, for what its schemas refer to.
#[derive(Clone, Copy)]
pub(super) struct Schemas<'a>(pub(super) &'a Value);

impl<'a> Schemas<'a> {
    pub(super) fn resolved(self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(name) => {
                self.resolved(self.0.pointer(&name[1..]).expect("a schema that is named"))
            }
            None => schema,
        }
    }

    /// What is wrong with `value`, and where.
    pub(super) fn problem(self, schema: &'a Value, value: &Value, at: &str) -> Option<String> {
        let schema = self.resolved(schema);
        if schema == &Value::Bool(true) || schema.as_object().is_none_or(Map::is_empty) {
            return None;
        }
        let fits = |schema| self.problem(schema, value, at).is_none();
        let says = |what: &str| Some(format!("{at}: {what}"));
        if let Some(all) = schema["allOf"].as_array()
            && let Some(problem) = all.iter().find_map(|one| self.problem(one, value, at))
        {
            return Some(problem);
        }
        if let Some(one) = schema["oneOf"].as_array()
            && one.iter().filter(|schema| fits(schema)).count() != 1
        {
            return says("not one of what it may be");
        }
        if let Some(any) = schema["anyOf"].as_array()
            && !any.iter().any(fits)
        {
            return says("none of what it may be");
        }
        if !kinds(schema).is_empty() && !kinds(schema).iter().any(|kind| is(value, kind)) {
            return says(&format!("{value} is no {:?}", kinds(schema)));
        }
        if let Some(words) = schema["enum"].as_array()
            && !words.contains(value)
        {
            return says(&format!("{value} is none of {words:?}"));
        }
        if let Some(number) = value.as_f64() {
            let below = schema["minimum"].as_f64().is_some_and(|min| number < min);
            let above = schema["maximum"].as_f64().is_some_and(|max| number > max);
            if below || above {
                return says(&format!("{number} is out of bounds"));
            }
        }
        if let Some(text) = value.as_str()
            && !text_fits(schema, text)
        {
            return says(&format!("{text:?} does not fit {schema}"));
        }
        if let Some(items) = value.as_array() {
            let many = |bound: &str| schema[bound].as_u64();
            let few = many("minItems").is_some_and(|min| (items.len() as u64) < min);
            if few || many("maxItems").is_some_and(|max| items.len() as u64 > max) {
                return says(&format!("{} items", items.len()));
            }
            let found = (0..)
                .zip(items)
                .find_map(|(i, item)| self.problem(&schema["items"], item, &format!("{at}/{i}")));
            if found.is_some() {
                return found;
            }
        }
        value
            .as_object()
            .and_then(|members| self.problem_of_members(schema, members, at))
    }

    fn problem_of_members(
        self,
        schema: &'a Value,
        members: &Map<String, Value>,
        at: &str,
    ) -> Option<String> {
        for name in schema["required"].as_array().into_iter().flatten() {
            let name = name.as_str()?;
            if !members.contains_key(name) {
                return Some(format!("{at}: {name} is missing"));
            }
        }
        let known = schema["properties"].as_object();
        members.iter().find_map(|(name, value)| {
            let at = format!("{at}/{name}");
            match known.and_then(|known| known.get(name)) {
                Some(schema) => self.problem(schema, value, &at),
                None => match &schema["additionalProperties"] {
                    // Answers say all that they have; free objects name nothing.
                    Value::Null if known.is_some() => Some(format!("{at}: not documented")),
                    Value::Bool(false) => Some(format!("{at}: not allowed")),
                    Value::Object(_) => self.problem(&schema["additionalProperties"], value, &at),
                    _ => None,
                },
            }
        })
    }

    /// A value that fits; names of things that exist, where a text may be one.
    pub(super) fn value(self, schema: &'a Value, dice: &mut Dice, names: &[String]) -> Value {
        self.value_at(schema, dice, names, 0)
    }

    fn value_at(self, schema: &'a Value, dice: &mut Dice, names: &[String], depth: u32) -> Value {
        let schema = self.resolved(schema);
        if !schema["example"].is_null() && dice.one_in(3) {
            return schema["example"].clone();
        }
        let choices = schema["oneOf"].as_array().or(schema["anyOf"].as_array());
        if let Some(choices) = choices {
            return self.value_at(dice.pick(choices), dice, names, depth);
        }
        if let Some(words) = schema["enum"].as_array() {
            return dice.pick(words).clone();
        }
        if let Some(all) = schema["allOf"].as_array() {
            let mut members = Map::new();
            for one in all {
                if let Value::Object(more) = self.value_at(one, dice, names, depth) {
                    members.extend(more);
                }
            }
            return Value::Object(members);
        }
        let kinds = kinds(schema);
        match kinds.get(dice.below(kinds.len().max(1))).copied() {
            Some("null") => Value::Null,
            Some("boolean") => json!(dice.one_in(2)),
            Some("integer") => json!(integer(schema, dice)),
            Some("number") => json!(0.5),
            Some("string") => json!(text(schema, dice, names)),
            Some("array") => {
                let least = schema["minItems"].as_u64().unwrap_or(0) as usize;
                let count = least.max(dice.below(4));
                let count = if depth > DEPTH_MAX { least } else { count };
                (0..count)
                    .map(|_| self.value_at(&schema["items"], dice, names, depth + 1))
                    .collect()
            }
            _ => {
                let required = schema["required"].as_array();
                let is_required = |name: &str| {
                    required.is_some_and(|required| required.iter().any(|one| one == name))
                };
                let members = schema["properties"].as_object();
                members
                    .into_iter()
                    .flatten()
                    .filter(|(name, _)| is_required(name) || (depth <= DEPTH_MAX && dice.one_in(2)))
                    .map(|(name, schema)| (name.clone(), schema))
                    .collect::<Vec<_>>()
                    .into_iter()
                    .map(|(name, schema)| (name, self.value_at(schema, dice, names, depth + 1)))
                    .collect::<Map<String, Value>>()
                    .into()
            }
        }
    }
}

fn kinds(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        _ => value.is_object(),
    }
}

fn text_fits(schema: &Value, text: &str) -> bool {
    let chars = text.chars().count() as u64;
    let has_length = schema["minLength"].as_u64().is_none_or(|min| chars >= min)
        && schema["maxLength"].as_u64().is_none_or(|max| chars <= max);
    let has_form = match schema["format"].as_str() {
        Some("date-time") => chrono::DateTime::parse_from_rfc3339(text).is_ok(),
        Some("uuid") => uuid::Uuid::parse_str(text).is_ok(),
        _ => true,
    };
    let pattern = schema["pattern"].as_str().and_then(Pattern::read);
    has_length && has_form && pattern.is_none_or(|pattern| pattern.fits(text))
}

/// `^[…]{m,n}$`, which is all that ours are.
struct Pattern {
    signs: Vec<char>,
    least: usize,
    most: usize,
}

impl Pattern {
    fn read(pattern: &str) -> Option<Self> {
        let (class, rest) = pattern.strip_prefix("^[")?.split_once("]{")?;
        let count = rest.strip_suffix("}$")?;
        let (least, most) = count.split_once(',').unwrap_or((count, count));
        let (mut signs, chars) = (Vec::new(), class.chars().collect::<Vec<char>>());
        let mut at = 0;
        while at < chars.len() {
            if let (Some('-'), Some(&last)) = (chars.get(at + 1), chars.get(at + 2)) {
                signs.extend(chars[at]..=last);
                at += 3;
            } else {
                signs.push(chars[at]);
                at += 1;
            }
        }
        Some(Self {
            signs,
            least: least.parse().ok()?,
            most: most.parse().ok()?,
        })
    }

    fn fits(&self, text: &str) -> bool {
        (self.least..=self.most).contains(&text.chars().count())
            && text.chars().all(|c| self.signs.contains(&c))
    }
}

fn integer(schema: &Value, dice: &mut Dice) -> i64 {
    let least = schema["minimum"].as_i64().unwrap_or(0);
    let most = schema["maximum"].as_i64().unwrap_or(1_000_000).max(least);
    match dice.below(6) {
        0 => least,
        1 => most,
        _ => least + dice.below(usize::try_from(most - least).unwrap_or(9).min(1_000) + 1) as i64,
    }
}

fn text(schema: &Value, dice: &mut Dice, names: &[String]) -> String {
    if let Some(pattern) = schema["pattern"].as_str().and_then(Pattern::read) {
        let known: Vec<&String> = names.iter().filter(|name| pattern.fits(name)).collect();
        if !known.is_empty() && !dice.one_in(4) {
            return (*dice.pick(&known)).clone();
        }
        let chars = match dice.below(4) {
            0 => pattern.least,
            1 => pattern.most,
            _ => pattern.least.max(dice.below(pattern.most.min(20) + 1)),
        };
        return (0..chars).map(|_| *dice.pick(&pattern.signs)).collect();
    }
    let text = match schema["format"].as_str() {
        Some("date-time") => {
            let times = [
                "2020-01-01T00:00:00Z",
                "2999-12-31T23:59:59.999Z",
                "2026-11-21T09:00:00+09:00",
            ];
            (*dice.pick(&times)).to_owned()
        }
        Some("uuid") => uuid::Uuid::from_u128(u128::from(dice.next())).to_string(),
        Some("email") => format!("fuzz-{}@shop.example", dice.below(1_000)),
        Some("uri") => "https://shop.example/image.png".to_owned(),
        _ if !names.is_empty() && dice.one_in(2) => dice.pick(names).clone(),
        _ => (*dice.pick(&["머그", "Moon jar", "x", "가나다라마바사 🎟", "1", "a b"])).to_owned(),
    };
    let least = schema["minLength"].as_u64().unwrap_or(0) as usize;
    let most = schema["maxLength"].as_u64().unwrap_or(10_000) as usize;
    let mut chars: Vec<char> = text.chars().collect();
    while chars.len() < least {
        chars.push('가');
    }
    if dice.one_in(12) {
        chars.resize(most.min(10_000), 'z');
    }
    chars.truncate(most);
    chars.into_iter().collect()
}
