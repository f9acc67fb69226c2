//! Revocations: the one script of no sale, which tells all engines that tokens of a user are revoked, and the read that follows it.

use fred::types::Value;

use super::reads::{array, broken, text_of};
use super::script::Script;
use super::{Gate, GateError};
use crate::ids::UserId;
use crate::journal::StreamId;
use crate::keys::Keys;
use crate::limits::REVOCATIONS_KEPT;

pub static SCRIPT: Script = Script::new(
    "revoke",
    include_str!("../../../../lua/revoke.lua"),
    &["revocations"],
    &["call", "user", "generation", "keep_ms"],
    &["revoked"],
);

/// Tokens of `user` below `generation` are revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    pub id: StreamId,
    pub user: UserId,
    pub generation: u64,
}

impl Gate {
    /// # Errors
    /// [`GateError`]; repeating is safe.
    pub async fn revoke(&self, user: &UserId, generation: u64) -> Result<StreamId, GateError> {
        let mut args = self.bare_args();
        args.push(user.as_str());
        args.push(generation.to_string());
        args.push(REVOCATIONS_KEPT.as_millis().to_string());
        let mut reply = self.run_outside(&SCRIPT, args).await?;
        match reply.word() {
            "revoked" => Ok(StreamId::new(reply.text()?)),
            _ => Err(reply.unknown_word()),
        }
    }

    /// Revocations from `from` on, that entry included, at most `entries_max`.
    ///
    /// # Errors
    /// [`GateError`]; [`GateError::Contract`] where an entry is not one of ours.
    pub async fn revocations(
        &self,
        from: &StreamId,
        entries_max: usize,
    ) -> Result<Vec<Revocation>, GateError> {
        let key = Keys::REVOCATIONS;
        let args = [key, from.as_str(), "+", "COUNT", &entries_max.to_string()];
        let args = args.map(str::to_string).to_vec();
        let value = self.command("XRANGE", Some(key), args).await?;
        array(value)?.into_iter().map(revocation).collect()
    }
}

fn revocation(value: Value) -> Result<Revocation, GateError> {
    let mut parts = array(value)?.into_iter();
    let id = text_of(parts.next())?;
    let mut fields = array(parts.next().unwrap_or(Value::Null))?.into_iter();
    let (mut user, mut generation) = (None, None);
    while let (Some(field), Some(value)) = (fields.next(), fields.next()) {
        let value = text_of(Some(value))?;
        match text_of(Some(field))?.as_str() {
            "u" => user = UserId::parse(value).ok(),
            "g" => generation = value.parse().ok(),
            _ => {}
        }
    }
    match (user, generation) {
        (Some(user), Some(generation)) => Ok(Revocation {
            id: StreamId::new(id),
            user,
            generation,
        }),
        _ => Err(broken("a revocation")),
    }
}
