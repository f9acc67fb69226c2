//! Takes units of a paid reservation back that are not sold again, once per key.

use super::restock::{Returned, text};
use super::script::Script;
use super::{Gate, GateError};
use crate::ids::{LiveId, ReservationId, SkuId, UserId};

pub static SCRIPT: Script = Script::new(
    "write_off",
    include_str!("../../../../lua/write_off.lua"),
    &["sale", "stock", "users", "records", "returns", "journal"],
    &["call", "epoch", "caller_ms", "id", "user", "key", "lines"],
    &[
        "done",
        "already",
        "too_many",
        "not_paid",
        "unknown_reservation",
        "unknown_sale",
        "unknown_schema",
        "recovering",
    ],
);

impl Gate {
    /// At least one line, no sku twice, each of at least one unit.
    ///
    /// # Errors
    /// [`GateError`]; repeating is safe.
    pub async fn write_off(
        &self,
        live: &LiveId,
        epoch: u32,
        id: ReservationId,
        user: &UserId,
        key: &str,
        lines: &[(SkuId, u32)],
    ) -> Result<Returned, GateError> {
        let mut args = self.args(epoch);
        args.push(id.as_bytes());
        args.push(user.as_str());
        args.push(key);
        args.push(text(lines));
        let reply = self.promise(&SCRIPT, live, args).await?;
        self.returned(live, epoch, reply)
    }
}
