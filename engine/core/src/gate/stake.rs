//! Begins to rebuild a sale in its next generation: from here on it decides nothing until `swap` (design §5, rebuild).

use super::script::Script;
use super::{Gate, GateError};
use crate::ids::LiveId;

pub static SCRIPT: Script = Script::new(
    "stake",
    include_str!("../../../../lua/stake.lua"),
    &[
        "sale",
        "rebuild",
        "next_users",
        "next_records",
        "next_order",
        "next_paying",
        "next_adjusts",
        "next_returns",
    ],
    &["call", "epoch"],
    &["staked", "overtaken"],
);

/// What `stake` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Staked {
    Staked {
        /// The server process that answered.
        run_id: String,
        /// Of the sale as it is; 0 where Redis has none.
        epoch: u32,
        seq: u64,
    },
    /// A rebuild into this generation, or a later one, has been there.
    Overtaken { epoch: u32 },
}

impl Gate {
    /// # Errors
    /// [`GateError`]; repeating is safe.
    pub async fn stake(&self, live: &LiveId, epoch: u32) -> Result<Staked, GateError> {
        let mut args = self.bare_args();
        args.push(epoch.to_string());
        let mut reply = self.run(&SCRIPT, live, args).await?;
        match reply.word() {
            "staked" => Ok(Staked::Staked {
                run_id: reply.text()?,
                epoch: reply.epoch()?,
                seq: reply.number()?,
            }),
            "overtaken" => Ok(Staked::Overtaken {
                epoch: reply.epoch()?,
            }),
            _ => Err(reply.unknown_word()),
        }
    }
}
