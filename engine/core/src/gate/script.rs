//! A Lua file and what its header promises: the constants that the contract test holds against the file.

use std::sync::OnceLock;

use crate::keys::Keys;
use crate::planted;

/// One file of `lua/`.
#[derive(Debug)]
pub struct Script {
    /// The file's stem.
    pub name: &'static str,
    pub source: &'static str,
    /// KEYS by the names that the header gives them, in order.
    pub keys: &'static [&'static str],
    /// ARGV likewise, without the repeated tail.
    pub argv: &'static [&'static str],
    /// Every outcome word.
    pub outcomes: &'static [&'static str],
    loaded: OnceLock<Loaded>,
}

/// What Redis is given: the shebang, the fence, the script.
#[derive(Debug)]
pub struct Loaded {
    pub source: String,
    pub sha1: String,
}

/// The shared head of all scripts; no script by itself.
pub static FENCE: Script = Script::new(
    "fence",
    include_str!("../../../../lua/fence.lua"),
    &[],
    &[],
    &["unknown_sale", "unknown_schema", "recovering"],
);

impl Script {
    pub(crate) const fn new(
        name: &'static str,
        source: &'static str,
        keys: &'static [&'static str],
        argv: &'static [&'static str],
        outcomes: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            source,
            keys,
            argv,
            outcomes,
            loaded: OnceLock::new(),
        }
    }

    /// The text that runs: the shebang must stay the first line, and the fence comes before the body.
    pub fn loaded(&self) -> &Loaded {
        self.loaded.get_or_init(|| {
            let (shebang, body) = self.source.split_once('\n').unwrap_or((self.source, ""));
            let (fence, body) = (
                planted::lua(FENCE.name, FENCE.source),
                planted::lua(self.name, body),
            );
            let source = format!("{shebang}\n{fence}\n{body}");
            let sha1 = fred::util::sha1_hash(&source);
            Loaded { source, sha1 }
        })
    }

    /// The Redis keys of a script of no sale.
    pub(crate) fn keys_outside(&self) -> Vec<String> {
        self.keys
            .iter()
            .map(|name| match *name {
                "revocations" => Keys::REVOCATIONS.to_owned(),
                other => unreachable!("{} names a key of a sale: {other}", self.name),
            })
            .collect()
    }

    /// The Redis keys of a sale in the order in which the script takes them.
    pub(crate) fn keys_of(&self, keys: &Keys) -> Vec<String> {
        self.keys
            .iter()
            .map(|name| match *name {
                "sale" => keys.sale.clone(),
                "stock" => keys.stock.clone(),
                "users" => keys.users.clone(),
                "records" => keys.records.clone(),
                "order" => keys.order.clone(),
                "paying" => keys.paying.clone(),
                "adjusts" => keys.adjusts.clone(),
                "returns" => keys.returns.clone(),
                "journal" => keys.journal.clone(),
                "line" => keys.line.clone(),
                "places" => keys.places.clone(),
                "offered" => keys.offered.clone(),
                "admitted" => keys.admitted.clone(),
                "served" => keys.served.clone(),
                "over" => keys.over.clone(),
                "alive" => keys.alive.clone(),
                "moves" => keys.moves.clone(),
                "rebuild" => keys.rebuild.clone(),
                "next_users" => keys.next_users.clone(),
                "next_records" => keys.next_records.clone(),
                "next_order" => keys.next_order.clone(),
                "next_paying" => keys.next_paying.clone(),
                "next_adjusts" => keys.next_adjusts.clone(),
                "next_returns" => keys.next_returns.clone(),
                other => unreachable!("{} names a key that no sale has: {other}", self.name),
            })
            .collect()
    }
}
