//! SQL of draws in the books. Called by `draws`, which shows them, and under the cursor's lock by `projection` and repairs.

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use doorbuster_core::draw::{DrawSecret, Drawn};
use doorbuster_core::hex::{from_hex, to_hex};
use doorbuster_core::ids::LiveId;
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnection, MySqlExecutor};
use sqlx::{query, query_as};

/// A draw with what its event says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BookedDraw {
    pub(crate) seq: u64,
    pub(crate) epoch: u32,
    pub(crate) at: DateTime<Utc>,
    pub(crate) drawn: Drawn,
}

impl BookedDraw {
    /// All of it, for people and the audit log.
    pub(crate) fn to_json(self) -> Value {
        json!({
            "seq": self.seq, "epoch": self.epoch, "drawn": self.drawn.text(),
            "drawn_at": clock::rfc3339(clock::to_ms(self.at)),
        })
    }
}

type Row = (u64, u32, u32, String, String, String, DateTime<Utc>);

/// The draw of a sale, where there is one.
pub(crate) async fn find(
    books: impl MySqlExecutor<'_>,
    live: &LiveId,
) -> sqlx::Result<Option<BookedDraw>> {
    let row: Option<Row> = query_as(
        "-- find\nselect seq, epoch, early, seed, list_hash, secret, drawn_at from draws where sale_id = ?",
    )
    .bind(live.book_id())
    .fetch_optional(books)
    .await?;
    row.map(|row| {
        booked(row).ok_or_else(|| sqlx::Error::Decode(format!("the draw of {live}").into()))
    })
    .transpose()
}

fn booked((seq, epoch, early, seed, list_hash, secret, at): Row) -> Option<BookedDraw> {
    let drawn = Drawn {
        early,
        seed: from_hex(&seed)?,
        list_hash: from_hex(&list_hash)?,
        secret: DrawSecret::from_bytes(from_hex(&secret)?),
    };
    Some(BookedDraw {
        seq,
        epoch,
        at,
        drawn,
    })
}

/// Writes a draw in the place of whatever the books had; without one, takes that out.
pub(crate) async fn put(
    tx: &mut MySqlConnection,
    live: &LiveId,
    draw: Option<&BookedDraw>,
) -> sqlx::Result<()> {
    query("-- put\ndelete from draws where sale_id = ?")
        .bind(live.book_id())
        .execute(&mut *tx)
        .await?;
    let Some(BookedDraw {
        seq,
        epoch,
        at,
        drawn,
    }) = draw
    else {
        return Ok(());
    };
    query(
        "-- put\ninsert into draws (sale_id, seq, epoch, early, seed, list_hash, secret, drawn_at) values (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(live.book_id())
    .bind(seq)
    .bind(epoch)
    .bind(drawn.early)
    .bind(to_hex(&drawn.seed))
    .bind(to_hex(&drawn.list_hash))
    .bind(to_hex(&drawn.secret.reveal()))
    .bind(at.naive_utc())
    .execute(tx)
    .await
    .map(drop)
}
