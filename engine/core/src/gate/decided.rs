//! The reply that `reserve` and `claim` share: what is left per sku, and one outcome per request, in order.

use super::reply::Reply;
use super::{Fenced, GateError};
use crate::ids::SkuId;

/// One decided batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided<O> {
    /// Redis time of the decision.
    pub now_ms: u64,
    /// Where the sale stood after it.
    pub seq: u64,
    /// What is left of each sku that was asked for.
    pub lefts: Vec<(SkuId, u64)>,
    /// One per request, in order.
    pub outcomes: Vec<O>,
}

/// A batch is decided as a whole, or refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Batch<O> {
    Decided(Decided<O>),
    Fenced(Fenced),
}

/// Reads the reply. `more` reads what stands between `seq` and the lefts, and returns what reads the outcomes that one word
/// begins.
pub(crate) fn decode<O, F>(
    reply: &mut Reply,
    requests: usize,
    more: impl FnOnce(&mut Reply) -> Result<F, GateError>,
) -> Result<Batch<O>, GateError>
where
    F: FnMut(&str, &mut Reply, &mut Vec<O>) -> Result<(), GateError>,
{
    if let Some(fenced) = reply.fenced()? {
        return Ok(Batch::Fenced(fenced));
    }
    if reply.word() != "decided" {
        return Err(reply.unknown_word());
    }
    let (now_ms, seq) = (reply.number()?, reply.number()?);
    let mut read = more(reply)?;
    let (mut left_list, mut results) = (reply.list()?, reply.list()?);
    let mut lefts = Vec::with_capacity(left_list.len() / 2);
    while !left_list.is_empty() {
        let sku = SkuId::parse(left_list.text()?).map_err(|_| left_list.broken("sku"))?;
        lefts.push((sku, left_list.number()?));
    }
    let mut outcomes = Vec::with_capacity(requests);
    while !results.is_empty() {
        let word = results.text()?;
        read(&word, &mut results, &mut outcomes)?;
    }
    if outcomes.len() != requests {
        return Err(reply.broken(&format!(
            "{requests} requests got {} outcomes",
            outcomes.len()
        )));
    }
    Ok(Batch::Decided(Decided {
        now_ms,
        seq,
        lefts,
        outcomes,
    }))
}
