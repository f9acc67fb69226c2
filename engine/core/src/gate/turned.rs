//! What the scripts that may turn one reservation answer in common. Used by their bindings.

use super::reply::Reply;
use super::{Gate, GateError, remembered};
use crate::ids::{LiveId, ReservationId};
use crate::record::Record;

impl Gate {
    /// `<now_ms> <seq> <record> <written>`: where the sale stands and what the reservation is now; if this call wrote that, it is
    /// remembered.
    pub(super) fn turned(
        &self,
        live: &LiveId,
        epoch: u32,
        id: ReservationId,
        reply: &mut Reply,
    ) -> Result<(u64, Box<Record>), GateError> {
        let (now_ms, seq) = (reply.number()?, reply.number()?);
        self.saw(live, epoch, seq);
        let record = record(reply)?;
        if reply.number()? == 1 {
            self.remember(live, || remembered::one(epoch, now_ms, seq, id, &record));
        }
        Ok((seq, record))
    }
}

pub(super) fn record(reply: &mut Reply) -> Result<Box<Record>, GateError> {
    Record::parse(&reply.bytes()?)
        .map(Box::new)
        .map_err(|e| reply.broken(e.0))
}
