//! SQL of draws, as the writer projects them from the journal.

use doorbuster_core::draw::Drawn;
use doorbuster_core::hex::to_hex;
use sqlx::{MySql, Transaction};

use super::projection::Numbered;

/// A sale is drawn once: a second draw is refused by the key.
pub(super) async fn insert_draws(
    tx: &mut Transaction<'_, MySql>,
    sale_id: &str,
    rows: &[(&Numbered<'_>, &Drawn)],
) -> Result<(), sqlx::Error> {
    let sql = "-- insert_draws
        insert into draws (sale_id, seq, epoch, early, seed, list_hash, secret, drawn_at) values (?, ?, ?, ?, ?, ?, ?, ?)";
    for (numbered, drawn) in rows {
        sqlx::query(sql)
            .bind(sale_id)
            .bind(numbered.raw.seq)
            .bind(numbered.epoch)
            .bind(drawn.early)
            .bind(to_hex(&drawn.seed))
            .bind(to_hex(&drawn.list_hash))
            .bind(to_hex(&drawn.secret.reveal()))
            .bind(numbered.at.naive_utc())
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}
