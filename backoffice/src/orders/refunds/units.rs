//! The scripts' calls for units of a refund. Called by `saga`, and by `settled`, which makes them again after a loss: under the same keys, so that a repeat
//! is none.

use doorbuster_core::gate::restock::Returned;
use doorbuster_core::ids::{LiveId, ReservationId, SkuId, UserId};
use doorbuster_core::returns::ReturnTo;
use uuid::Uuid;

use super::{RefundLine, Units};
use crate::app::App;
use crate::error::ApiError;

/// Whose units they are, in this generation of the sale.
pub(crate) struct Whose<'a> {
    pub(crate) live: &'a LiveId,
    pub(crate) epoch: u32,
    pub(crate) reservation: ReservationId,
    pub(crate) user: &'a UserId,
}

/// Has them written off, or put on sale again: each once for a refund, by one call for all that go there. A refund of which some units had been lost
/// would otherwise make two calls under the key of one.
///
/// # Errors
/// [`ApiError::Unavailable`] where Redis does not answer.
pub(crate) async fn give_back(
    app: &App,
    whose: &Whose<'_>,
    (refund, to): (Uuid, ReturnTo),
    wanted: &[(SkuId, u32)],
) -> Result<Returned, ApiError> {
    let &Whose {
        live,
        epoch,
        reservation,
        user,
    } = whose;
    let key = key(refund, to);
    let returned = match to {
        ReturnTo::WriteOff => {
            app.gate
                .write_off(live, epoch, reservation, user, &key, wanted)
                .await
        }
        ReturnTo::Shelf => {
            app.gate
                .restock(live, epoch, reservation, user, &key, wanted)
                .await
        }
    };
    Ok(returned?)
}

fn key(refund: Uuid, to: ReturnTo) -> String {
    let word = match to {
        ReturnTo::WriteOff => Units::WriteOff,
        ReturnTo::Shelf => Units::Restock,
    };
    format!("{refund}:{}", word.word())
}

/// What of a refund is dealt with in one of these ways.
///
/// # Errors
/// [`ApiError::Internal`] where the books have what is no sku.
pub(crate) fn of(lines: &[RefundLine], units: &[Units]) -> Result<Vec<(SkuId, u32)>, ApiError> {
    lines
        .iter()
        .filter(|line| units.contains(&line.units))
        .map(|line| {
            let sku = SkuId::parse(line.sku.as_str()).map_err(|e| ApiError::Internal(e.into()))?;
            Ok((sku, line.quantity))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(sku: &str, units: Units) -> RefundLine {
        RefundLine {
            sku: sku.to_owned(),
            quantity: 1,
            amount: 0,
            points: 0,
            units,
        }
    }

    #[test]
    fn what_goes_to_one_place_goes_in_one_call() {
        let lines = [
            line("cap", Units::Lost),
            line("hat", Units::WriteOff),
            line("mug", Units::Keep),
            line("tee", Units::Restock),
        ];
        let skus = |units: &[Units]| -> Vec<String> {
            let of = of(&lines, units).unwrap();
            of.iter().map(|(sku, _)| sku.to_string()).collect()
        };
        assert_eq!(skus(&[Units::Restock, Units::Lost]), ["cap", "tee"]);
        assert_eq!(skus(&[Units::Restock]), ["tee"]);
        assert_eq!(skus(&[Units::WriteOff]), ["hat"]);
        let refund = Uuid::nil();
        assert_ne!(
            key(refund, ReturnTo::Shelf),
            key(refund, ReturnTo::WriteOff)
        );
    }
}
