//! Sets the order of those who joined a line early, and reads who they are.

use super::script::Script;
use super::{Fenced, Gate, GateError, remembered};
use crate::draw::Drawn;
use crate::hex::{from_hex, to_hex};
use crate::ids::LiveId;
use crate::keys::Keys;

pub static SCRIPT: Script = Script::new(
    "draw",
    include_str!("../../../../lua/draw.lua"),
    &["sale", "line", "journal"],
    &[
        "call",
        "epoch",
        "caller_ms",
        "early",
        "seed",
        "list_hash",
        "secret",
        "is_booked",
    ],
    &[
        "drawn",
        "restored",
        "already",
        "moved",
        "unknown_sale",
        "unknown_schema",
        "recovering",
    ],
);

/// Whether the books have the draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Novelty {
    New,
    Booked,
}

/// What `draw` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DrawSet {
    Drawn {
        seq: u64,
    },
    /// The line has again what the books have.
    Restored,
    /// Another was first; nothing was written.
    Already {
        seed: [u8; 32],
    },
    /// Another number of users came early, or it is not known yet.
    Moved {
        early: Option<u32>,
    },
    Fenced(Fenced),
}

/// A user's field in `places`, with the value: text as it stands there.
pub type PlaceRow = (Vec<u8>, Vec<u8>);

impl Gate {
    /// # Errors
    /// [`GateError`]; repeating is safe.
    pub async fn draw(
        &self,
        live: &LiveId,
        epoch: u32,
        drawn: &Drawn,
        novelty: Novelty,
    ) -> Result<DrawSet, GateError> {
        let mut args = self.args(epoch);
        args.push(drawn.early.to_string());
        for digest in [drawn.seed, drawn.list_hash, drawn.secret.reveal()] {
            args.push(to_hex(&digest));
        }
        args.push(if novelty == Novelty::Booked { "1" } else { "0" });
        let mut reply = self.promise(&SCRIPT, live, args).await?;
        if let Some(fenced) = reply.fenced()? {
            return Ok(DrawSet::Fenced(fenced));
        }
        match reply.word() {
            "drawn" => {
                let (now_ms, seq) = (reply.number()?, reply.number()?);
                self.saw(live, epoch, seq);
                let event = (b"D".to_vec(), drawn.text().into_bytes());
                self.remember(live, || remembered::events(epoch, now_ms, seq, vec![event]));
                Ok(DrawSet::Drawn { seq })
            }
            "restored" => {
                reply.skip()?;
                self.saw(live, epoch, reply.number()?);
                Ok(DrawSet::Restored)
            }
            "already" => {
                let seed = from_hex(&reply.text()?).ok_or_else(|| reply.broken("seed"))?;
                Ok(DrawSet::Already { seed })
            }
            "moved" => {
                let early = reply.text()?.parse().ok();
                Ok(DrawSet::Moved { early })
            }
            _ => Err(reply.unknown_word()),
        }
    }

    /// One step of a walk over all who have joined a line: those of this step, and the cursor of the next (0: done). Whoever is there
    /// throughout is seen at least once.
    ///
    /// # Errors
    /// [`GateError`].
    pub async fn scan_places(
        &self,
        live: &LiveId,
        cursor: u64,
        count: usize,
    ) -> Result<(u64, Vec<PlaceRow>), GateError> {
        self.scan_hash(Keys::of(live).places, cursor, count).await
    }
}
