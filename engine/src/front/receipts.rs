//! A reservation request with a `Receipt`: what was acknowledged and lost with Redis is honoured, before anybody new is served from what
//! is kept for it (design §5).
//!
//! The receipt must be ours and for this very request. If nothing was lost the answer is the reservation as it is, so a client may send
//! its receipt with every repeat.

use doorbuster_core::gate::honour::Honoured;
use doorbuster_core::gate::reserve::{Reserve, Reserved};
use doorbuster_core::receipt::Proven;
use metrics::counter;

use super::problem::Refusal;
use super::reply::Answer;
use super::reservations;
use crate::app::App;
use crate::metrics as names;
use crate::sale::LiveSale;
use crate::sale::combiner::Answered;

/// # Errors
/// [`Refusal::Invalid`] where it is not the receipt of this request; else as without one.
pub(super) async fn present(
    app: &App,
    sale: &LiveSale,
    reserve: Reserve,
    receipt: &str,
) -> Result<Answer, Refusal> {
    let mut keys = std::iter::once(&app.receipts).chain(&app.receipts_previous);
    let proven = keys
        .find_map(|key| key.read(receipt))
        .filter(|proven| is_of(proven, sale, &reserve));
    let Some(proven) = proven else {
        count("foreign");
        return Err(Refusal::invalid(
            "this Receipt is not ours, or is for another sale, user, key or items",
        ));
    };
    let epoch = sale.epoch();
    let honoured = app
        .gate
        .honour(&sale.live, epoch, &reserve, proven.epoch)
        .await
        .map_err(|e| Refusal::from(&e))?;
    match honoured {
        Honoured::Decided {
            now_ms,
            seq,
            outcome,
        } => {
            tell(sale, &proven, &outcome);
            let answered = Answered {
                now_ms,
                seq,
                epoch,
                outcome,
            };
            reservations::confirmed(app, sale, &reserve, answered).await
        }
        // A request like any other. Records stay for the sale's life, so the one that this receipt proves went with something that
        // nobody had noted, and so nobody missed.
        Honoured::NotLost => {
            count("not_lost");
            let Proven { id, epoch, seq, .. } = &proven;
            tracing::error!(alarm = "receipt", sale = %sale.live, %id, epoch, seq, "a receipt proves what redis has lost of the generation that it has");
            let reserve = std::sync::Arc::new(reserve);
            let answered = sale.reserve(std::sync::Arc::clone(&reserve), None).await?;
            reservations::confirmed(app, sale, &reserve, answered).await
        }
        Honoured::Fenced(fenced) => Err(sale.fenced(fenced).await),
    }
}

fn is_of(proven: &Proven, sale: &LiveSale, reserve: &Reserve) -> bool {
    proven.id == reserve.id
        && proven.live == sale.live
        && proven.user == reserve.user
        && proven.lines == reserve.lines
}

/// A promise that is kept late is worth a line; one that cannot be kept is an alarm.
fn tell(sale: &LiveSale, proven: &Proven, outcome: &Reserved) {
    let Proven { id, epoch, seq, .. } = proven;
    let word = match outcome {
        Reserved::Held { .. } => "honoured",
        Reserved::Repeat(_) => "repeat",
        Reserved::SoldOut { .. } => "sold_out",
        Reserved::LimitReached { .. } => "limit_reached",
        _ => "refused",
    };
    count(word);
    match outcome {
        Reserved::Held { .. } => {
            tracing::warn!(sale = %sale.live, %id, epoch, seq, "a lost reservation was honoured by its receipt")
        }
        Reserved::Repeat(_) => {}
        _ => {
            tracing::error!(alarm = "receipt", sale = %sale.live, %id, epoch, seq, why = word, "a proven reservation could not be honoured")
        }
    }
}

fn count(outcome: &'static str) {
    counter!(names::RECEIPTS, "outcome" => outcome).increment(1);
}
