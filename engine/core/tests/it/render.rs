//! The reference in the text form of Redis, written from the key map of `lua/README.md`. Used by `model`.

use doorbuster_core::gate::reserve::Reserve;
use doorbuster_core::record::{Line, Reason, Status};

use crate::reference::{Reference, Shelf};
use crate::state::{Fields, State, id_text, record_of, text};

/// The reference as Redis would hold it.
pub(crate) fn render(reference: &Reference) -> State {
    let counts = reference
        .counts
        .iter()
        .map(|((user, sku), count)| (format!("{user}/{sku}"), count.to_string()));
    let ended = reference
        .ended
        .iter()
        .map(|(user, count)| (user.to_string(), count.to_string()));
    let records = reference.records.iter().map(|(id, record)| {
        let letter = match record.status {
            Status::Held => 'h',
            Status::Released(Reason::Cancelled) => 'c',
            Status::Released(Reason::Expired) => 'e',
            Status::Paying => 'p',
            Status::Paid => 's',
            Status::Released(Reason::PaymentFailed) => 'f',
            Status::Released(Reason::Refunded) => 'r',
        };
        let ask = Reserve {
            id: *id,
            user: record.user.clone(),
            body: record.body,
            lines: record.lines.clone(),
        };
        (
            id_text(*id),
            text(record_of(letter, record.seq, record.deadline_ms, &ask)),
        )
    });
    let claims = reference.claims.iter().map(|(id, claim)| {
        (
            id_text(*id),
            format!("k{}|{}|{}", claim.seq, claim.claimed_ms, claim.user),
        )
    });
    let adjusts = reference
        .adjusts
        .iter()
        .map(|(key, (seq, left, sku, by))| (key.clone(), format!("{seq}|{left}|{sku}|{by}")));
    let paying = reference.records.iter().filter_map(|(id, record)| {
        let is_paying = record.status == Status::Paying;
        is_paying.then(|| (id_text(*id), record.deadline_ms.to_string()))
    });
    let totals = reference.records.iter().filter_map(|(id, record)| {
        let total = |line: &Line| {
            let units = reference.returns.get(&(*id, line.sku.clone()))?;
            Some(format!("{}={units}", line.sku))
        };
        let totals: Vec<String> = record.lines.iter().filter_map(total).collect();
        (!totals.is_empty()).then(|| (id_text(*id), totals.join(",")))
    });
    let done = reference.returned.iter().map(|((id, letter, key), seq)| {
        let field = [id.as_bytes(), format!("{letter}{key}").as_bytes()].concat();
        (text(field), seq.to_string())
    });
    State {
        stock: reference
            .shelves
            .iter()
            .flat_map(|(sku, shelf)| stock_fields(sku.as_str(), shelf))
            .collect::<Fields>(),
        users: counts.chain(ended).collect(),
        records: records.chain(claims).collect(),
        order: reference.order.iter().map(|id| id_text(*id)).collect(),
        paying: paying.collect(),
        returns: totals.chain(done).collect(),
        adjusts: adjusts.collect(),
        ..State::default()
    }
}

fn stock_fields(sku: &str, shelf: &Shelf) -> [(String, String); 6] {
    [
        ("stocked", shelf.stocked),
        ("left", shelf.left),
        ("held", shelf.held),
        ("sold", shelf.sold),
        ("limit", shelf.limit),
        ("restocked", shelf.restocked),
    ]
    .map(|(field, units)| (format!("{sku}/{field}"), units.to_string()))
}
