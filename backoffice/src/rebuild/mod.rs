//! `rebuild --sale`: has a sale put together again from the books, and prints what came of it. Called by `main`.
//!
//! Rebuilding writes books and live sale under the journal's cursor, which is the writer's work and stays in one place: this asks for it
//! in MySQL and waits. Where no writer takes it up, it starts one for the purpose, from beside its own program.

pub(crate) mod store;
pub(crate) mod view;
mod writer;

use std::fmt;

use anyhow::{Result, bail, ensure};
use doorbuster_core::clock;
use doorbuster_core::ids::LiveId;
use serde::Serialize;
use serde_json::Value;
use tokio::time::sleep;

use crate::app;
use crate::config::Rebuild;
use crate::limits::{REBUILD_BEGIN_WAIT, REBUILD_POLL, REBUILD_WAIT};
use store::Row;
use writer::Writer;

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Outcome {
    pub sale: String,
    /// `done`, or `waits`: a person must do something first.
    pub state: String,
    pub why: String,
    /// What was found, taken over and lost; null where it waits.
    pub report: Value,
}

impl Outcome {
    pub fn is_done(&self) -> bool {
        self.state == "done"
    }

    /// Events that are lost.
    pub fn lost(&self) -> u64 {
        self.report["lost"].as_u64().unwrap_or(0)
    }
}

/// # Errors
/// A sale that was never published, MySQL that does not answer, no writer to do it.
pub async fn rebuild(request: &Rebuild) -> Result<Outcome> {
    let books = app::connect_books(request.database.options()?);
    let live = &request.sale;
    ensure!(
        store::is_published(&books, live).await?,
        "no sale {live} has been published"
    );
    store::request(&books, live).await?;
    let began = clock::instant();
    let mut writer: Option<Writer> = None;
    loop {
        let row = store::last(&books, live).await?;
        match row {
            Some(row) if row.requested_at.is_none() => return Ok(outcome(live, row)),
            Some(row)
                if writer.is_none() && began.elapsed() > REBUILD_BEGIN_WAIT && !is_begun(&row) =>
            {
                writer = Some(Writer::start(request)?);
            }
            _ if began.elapsed() > REBUILD_WAIT => {
                bail!(
                    "{live} is not rebuilt after {REBUILD_WAIT:?}; the request stands, and the writer's log says what it waits for"
                )
            }
            _ => {}
        }
        sleep(REBUILD_POLL).await;
    }
}

/// Whether a writer is at it.
fn is_begun(row: &Row) -> bool {
    row.began_at >= row.requested_at
}

fn outcome(live: &LiveId, row: Row) -> Outcome {
    Outcome {
        sale: live.to_string(),
        state: row.state,
        why: row.why,
        report: view::report(row.report.as_deref()),
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sale, why, report, ..
        } = self;
        if !self.is_done() {
            return write!(f, "{sale}: not rebuilt, it waits for a person: {why}");
        }
        let number = |name: &str| report[name].as_u64().unwrap_or(0);
        writeln!(
            f,
            "{sale}: rebuilt into generation {} in {:.1} s: {} records, {} open holds, {} events in the books",
            number("epoch"),
            report["seconds"].as_f64().unwrap_or(0.0),
            number("records"),
            number("open_holds"),
            number("seq"),
        )?;
        writeln!(
            f,
            "  {} events drained from redis, {} taken over, {} lost",
            number("drained"),
            number("taken_over"),
            number("lost")
        )?;
        for range in report["lost_ranges"].as_array().into_iter().flatten() {
            writeln!(f, "  lost: events {} to {}", range[0], range[1])?;
        }
        for one in report["not_honoured"].as_array().into_iter().flatten() {
            writeln!(
                f,
                "  no units for: event {} of {}, reservation {}",
                one["seq"], one["user"], one["id"]
            )?;
        }
        let skus = report["skus"].as_object().into_iter().flatten();
        let lines: Vec<String> = skus
            .map(|(sku, it)| {
                let kept = it["kept"].as_u64().filter(|kept| *kept > 0);
                let kept = kept.map_or(String::new(), |kept| {
                    format!(", {kept} of them for receipts first")
                });
                format!(
                    "  {sku}: {} stocked = {} left + {} held + {} sold{kept}",
                    it["stocked"], it["left"], it["held"], it["sold"]
                )
            })
            .collect();
        f.write_str(&lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_lost_is_listed() {
        let report = json!({"epoch": 2, "seconds": 0.25, "records": 9, "open_holds": 3, "seq": 20, "drained": 1, "taken_over": 4,
            "lost": 3, "lost_ranges": [[18, 20]], "not_honoured": [{"seq": 19, "id": "x", "user": "ann"}],
            "skus": {"tee": {"stocked": 10, "left": 5, "held": 3, "sold": 2, "kept": 3}}});
        let outcome = Outcome {
            sale: "s".into(),
            state: "done".into(),
            why: String::new(),
            report,
        };
        let text = outcome.to_string();
        for part in [
            "generation 2",
            "events 18 to 20",
            "event 19 of \"ann\"",
            "3 of them for receipts",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(outcome.lost(), 3);
    }
}
