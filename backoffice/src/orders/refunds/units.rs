//! The scripts' calls for units of a refund. Called by `saga`, and by `settled`, which makes them again after a loss: under the same keys, so that a repeat
//! is none.

use doorbuster_core::gate::restock::Returned;
use doorbuster_core::ids::{LiveId, ReservationId, SkuId, UserId};
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

/// Has them written off, or else put on sale again.
///
/// # Errors
/// [`ApiError::Unavailable`] where Redis does not answer.
pub(crate) async fn give_back(
    app: &App,
    whose: &Whose<'_>,
    (refund, units): (Uuid, Units),
    wanted: &[(SkuId, u32)],
) -> Result<Returned, ApiError> {
    let &Whose {
        live,
        epoch,
        reservation,
        user,
    } = whose;
    let returned = if units == Units::WriteOff {
        let key = format!("{refund}:{}", Units::WriteOff.word());
        app.gate
            .write_off(live, epoch, reservation, user, &key, wanted)
            .await
    } else {
        let key = format!("{refund}:{}", Units::Restock.word());
        app.gate
            .restock(live, epoch, reservation, user, &key, wanted)
            .await
    };
    Ok(returned?)
}

/// What of a refund is dealt with in this way.
///
/// # Errors
/// [`ApiError::Internal`] where the books have what is no sku.
pub(crate) fn of(lines: &[RefundLine], units: Units) -> Result<Vec<(SkuId, u32)>, ApiError> {
    lines
        .iter()
        .filter(|line| line.units == units)
        .map(|line| {
            let sku = SkuId::parse(line.sku.as_str()).map_err(|e| ApiError::Internal(e.into()))?;
            Ok((sku, line.quantity))
        })
        .collect()
}
