//! The second transaction of a rebuild: the sale as the books have it, loaded beside what Redis has, and swapped in.
//!
//! The cursor is locked again and must still be where the first transaction left it: whoever moved it meanwhile has taken over.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context as _;
use doorbuster_core::clock;
use doorbuster_core::gate::GateError;
use doorbuster_core::gate::load::{Load, Loaded as Put};
use doorbuster_core::gate::snapshot::{State, Stock};
use doorbuster_core::gate::swap::{Counts, Swap, SwapSku, Swapped};
use doorbuster_core::ids::{LiveId, ReservationId, SkuId, UserId};
use doorbuster_core::journal::{Event, RawEvent};
use doorbuster_core::limits::LOAD_ROWS_MAX;
use doorbuster_core::planted;
use doorbuster_core::record::{Line, Record, Status};
use sqlx::{MySql, Transaction};

use super::book_store::Offer;
use super::settle::{Attempt, Settled};
use super::{Ended, book_store, returns, store};
use crate::limits::{PAYING_GRACE, REBUILD_ROWS};

type Tx<'a> = Transaction<'a, MySql>;

/// What Redis has now.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) counts: Counts,
    pub(super) skus: Vec<SwapSku>,
    /// Numbers marked lost since the sale last sold, by this attempt or an earlier one that did not end.
    pub(super) lost: Vec<u64>,
}

/// Tries of one call whose answer may have been lost.
const TRIES: usize = 3;

/// What is summed up while records go by.
#[derive(Debug, Default)]
struct Sums {
    users: HashMap<String, u64>,
    /// Held and sold of each sku.
    taken: BTreeMap<SkuId, (u64, u64)>,
    counts: Counts,
    /// Redis, or the generation, is another's by now.
    overtaken: bool,
}

/// # Errors
/// Those of the servers; the sale stays recovering then.
pub(super) async fn load(
    attempt: &Attempt<'_>,
    settled: &Settled,
) -> anyhow::Result<Result<Loaded, Ended>> {
    let overtaken = || Ok(Err(Ended::NotNow("another rebuild has taken over")));
    let book_id = attempt.live.book_id();
    let mut tx = attempt.pool.begin().await.context("begin")?;
    let cursor = store::wait_for_cursor(&mut tx, &book_id)
        .await
        .context("lock the cursor")?;
    if cursor.is_none_or(|cursor| (cursor.epoch, cursor.seq) != (settled.epoch, settled.seq)) {
        return overtaken();
    }
    let lost = book_store::lost(&mut tx, &book_id)
        .await
        .context("read what is lost")?;
    let image = Image {
        attempt,
        settled,
        lost: lost.len() as u64,
    };
    let mut sums = Sums::default();
    match attempt.live {
        LiveId::Sale(_) if planted::is("reopened-sale") => {}
        LiveId::Sale(_) => image.reservations(&mut tx, &mut sums).await?,
        LiveId::Coupon(id) => image.claims(&mut tx, id.as_str(), &mut sums).await?,
    }
    image.users(&mut sums).await?;
    let offer = book_store::offer(&mut tx, attempt.live).await?;
    let own = book_store::own_events(&mut tx, &book_id).await?;
    let skus = match image.skus(&own, &offer, &mut sums) {
        Ok(skus) => skus,
        Err(ended) => return Ok(Err(ended)),
    };
    image.adjusts(&own, &skus, &mut sums).await?;
    image.returns(&own, &mut sums).await?;
    if sums.overtaken {
        return overtaken();
    }
    let last_now_ms = book_store::last_at_ms(&mut tx, &book_id, settled.seq).await?;
    let event = settled.seq.to_string();
    let swap = Swap {
        epoch: settled.epoch,
        run_id: &settled.run_id,
        state: state(&own),
        opens_ms: offer.opens_ms,
        closes_ms: offer.closes_ms,
        hold_ms: offer.hold_ms,
        payment_ms: offer.payment_ms,
        config: &offer.config,
        seq: settled.seq,
        last_now_ms,
        event: &event,
        counts: sums.counts,
        skus: &skus,
    };
    let swapped = image.swap(&swap).await?;
    tx.rollback().await.context("give the cursor back")?;
    match swapped {
        Swapped::Swapped { .. } | Swapped::Already => Ok(Ok(Loaded {
            counts: sums.counts,
            skus,
            lost,
        })),
        Swapped::Overtaken { .. } => overtaken(),
        Swapped::Fenced(fenced) => {
            tracing::info!(sale = %attempt.live, ?fenced, "what was rebuilt was not swapped in");
            Ok(Err(Ended::NotNow("redis has changed meanwhile")))
        }
    }
}

/// As many of what is left as there are lost events: each may have been a hold of any sku. A claim has no receipt.
fn kept(live: &LiveId, lost: u64, stock: &Stock) -> u64 {
    match live {
        LiveId::Sale(_) => stock.left.min(lost),
        LiveId::Coupon(_) => 0,
    }
}

/// Where the switch stood.
fn state(own: &[(RawEvent, Event)]) -> State {
    let mut state = State::Open;
    for (_, event) in own {
        state = match (event, state) {
            (_, State::Closed) | (Event::Closed, _) => State::Closed,
            (Event::Paused, _) => State::Paused,
            (Event::Resumed, _) => State::Open,
            (_, state) => state,
        };
    }
    state
}

struct Image<'a> {
    attempt: &'a Attempt<'a>,
    settled: &'a Settled,
    /// How many events are lost.
    lost: u64,
}

impl Image<'_> {
    async fn reservations(&self, tx: &mut Tx<'_>, sums: &mut Sums) -> anyhow::Result<()> {
        let (sale, mut seq) = (self.attempt.live.book_id(), 0);
        loop {
            let before = seq;
            let rows = book_store::reservations(tx, &sale, seq, REBUILD_ROWS)
                .await
                .context("read the reservations")?;
            let Some((_, last)) = rows.last() else { break };
            seq = last.seq;
            let records: Vec<(ReservationId, Vec<u8>)> = rows
                .iter()
                .map(|(id, record)| (*id, record.to_bytes()))
                .collect();
            self.put(&Load::Records(&records), sums).await?;
            sums.counts.records += records.len() as u64;
            let held = rows.iter().filter(|row| row.1.status == Status::Held);
            let ids: Vec<ReservationId> = held.map(|row| row.0).collect();
            let length = sums.counts.order;
            if !ids.is_empty() {
                self.put(&Load::Order { ids: &ids, length }, sums).await?;
                sums.counts.order += ids.len() as u64;
            }
            let paying = rows.iter().filter(|row| row.1.status == Status::Paying);
            let soonest_ms = clock::now_ms() + PAYING_GRACE.as_millis() as u64;
            let paying: Vec<(u64, ReservationId)> = paying
                .map(|(id, record)| (record.deadline_ms.max(soonest_ms), *id))
                .collect();
            if !paying.is_empty() {
                self.put(&Load::Paying(&paying), sums).await?;
                sums.counts.paying += paying.len() as u64;
            }
            rows.iter().for_each(|(_, record)| sums.count(record));
            let paid = rows.iter().filter(|row| row.1.status == Status::Paid);
            let paid: HashMap<u64, &UserId> = paid.map(|(_, r)| (r.seq, &r.user)).collect();
            let returned = book_store::returned(tx, &sale, before, seq).await;
            for (seq, line) in returned.context("read what came back")? {
                if let Some(user) = paid.get(&seq) {
                    sums.bring_back(user, &line);
                }
            }
            if rows.len() < REBUILD_ROWS as usize || sums.overtaken {
                break;
            }
        }
        Ok(())
    }

    async fn claims(&self, tx: &mut Tx<'_>, coupon: &str, sums: &mut Sums) -> anyhow::Result<()> {
        let (sku, mut seq) = (SkuId::parse(coupon)?, 0);
        loop {
            let rows = book_store::claims(tx, coupon, seq, REBUILD_ROWS)
                .await
                .context("read the claims")?;
            let Some((_, last)) = rows.last() else { break };
            seq = last.seq;
            let records: Vec<(ReservationId, Vec<u8>)> = rows
                .iter()
                .map(|(id, claim)| (*id, claim.to_bytes()))
                .collect();
            self.put(&Load::Records(&records), sums).await?;
            sums.counts.records += records.len() as u64;
            for (_, claim) in &rows {
                sums.user(format!("{}/{sku}", claim.user), 1);
            }
            sums.taken.entry(sku.clone()).or_default().1 += rows.len() as u64;
            if rows.len() < REBUILD_ROWS as usize || sums.overtaken {
                break;
            }
        }
        Ok(())
    }

    async fn users(&self, sums: &mut Sums) -> anyhow::Result<()> {
        let users: Vec<(String, u64)> = std::mem::take(&mut sums.users).into_iter().collect();
        for rows in users.chunks(LOAD_ROWS_MAX) {
            self.put(&Load::Users(rows), sums).await?;
            if sums.overtaken {
                break;
            }
        }
        sums.counts.users = users.len() as u64;
        Ok(())
    }

    /// Stock, holds and sales of each sku; none may have more taken than it has.
    fn skus(
        &self,
        own: &[(RawEvent, Event)],
        offer: &Offer,
        sums: &mut Sums,
    ) -> Result<Vec<SwapSku>, Ended> {
        let mut skus = Vec::new();
        for (sku, stocked) in book_store::stocked(own) {
            let (held, sold) = sums.taken.remove(&sku).unwrap_or_default();
            let left = stocked - (held + sold).cast_signed();
            let Ok(left) = u64::try_from(left) else {
                return Err(Ended::Waits(format!(
                    "the books have {} units of {sku} more held and sold than stocked",
                    left.unsigned_abs()
                )));
            };
            let stock = Stock {
                stocked: stocked.unsigned_abs(),
                left,
                held,
                sold,
                limit_per_user: offer.limits.get(&sku).copied().unwrap_or(0),
                restocked_seq: 0,
            };
            let kept = kept(self.attempt.live, self.lost, &stock);
            skus.push(SwapSku { sku, stock, kept });
        }
        skus.sort_by(|a, b| a.sku.cmp(&b.sku));
        Ok(skus)
    }

    /// Their results, with what is left now in the place of what was left then.
    async fn adjusts(
        &self,
        own: &[(RawEvent, Event)],
        skus: &[SwapSku],
        sums: &mut Sums,
    ) -> anyhow::Result<()> {
        let result = |(raw, event): &(RawEvent, Event)| {
            let Event::Adjusted { sku, by } = event else {
                return None;
            };
            let text = std::str::from_utf8(&raw.value).ok()?;
            let key = text.splitn(3, '|').nth(2)?;
            let left = skus.iter().find(|one| one.sku == *sku)?.stock.left;
            Some((key.to_owned(), format!("{}|{left}|{sku}|{by}", raw.seq)))
        };
        let adjusts: Vec<(String, String)> = own.iter().filter_map(result).collect();
        for rows in adjusts.chunks(LOAD_ROWS_MAX) {
            self.put(&Load::Adjusts(rows), sums).await?;
        }
        sums.counts.adjusts = adjusts.len() as u64;
        Ok(())
    }

    async fn returns(&self, own: &[(RawEvent, Event)], sums: &mut Sums) -> anyhow::Result<()> {
        let fields = returns::fields(own);
        for rows in fields.chunks(LOAD_ROWS_MAX) {
            self.put(&Load::Returns(rows), sums).await?;
        }
        sums.counts.returns = fields.len() as u64;
        Ok(())
    }

    async fn put(&self, load: &Load<'_>, sums: &mut Sums) -> anyhow::Result<()> {
        let (gate, live) = (self.attempt.gate, self.attempt.live);
        let mut tries = 0;
        loop {
            tries += 1;
            match gate.load(live, self.settled.epoch, load).await {
                Ok(put) => {
                    sums.overtaken |= put == Put::Overtaken;
                    return Ok(());
                }
                Err(GateError::Unknown) if tries < TRIES => {}
                Err(e) => return Err(e).context("load"),
            }
        }
    }

    async fn swap(&self, swap: &Swap<'_>) -> anyhow::Result<Swapped> {
        let (gate, live) = (self.attempt.gate, self.attempt.live);
        let mut tries = 0;
        loop {
            tries += 1;
            match gate.swap(live, swap).await {
                Err(GateError::Unknown) if tries < TRIES => {}
                other => return other.context("swap"),
            }
        }
    }
}

impl Sums {
    fn user(&mut self, field: String, units: u64) {
        *self.users.entry(field).or_default() += units;
    }

    fn count(&mut self, record: &Record) {
        if !record.status.is_live() {
            self.user(record.user.to_string(), 1);
            return;
        }
        for line in &record.lines {
            self.user(
                format!("{}/{}", record.user, line.sku),
                line.quantity.into(),
            );
            let (held, sold) = self.taken.entry(line.sku.clone()).or_default();
            let units = if record.status == Status::Paid {
                sold
            } else {
                held
            };
            *units += u64::from(line.quantity);
        }
    }

    /// Units of one that is paid are with nobody any more.
    fn bring_back(&mut self, user: &UserId, line: &Line) {
        let units = u64::from(line.quantity);
        if let Some((_, sold)) = self.taken.get_mut(&line.sku) {
            *sold = sold.saturating_sub(units);
        }
        let field = format!("{user}/{}", line.sku);
        if let Some(count) = self.users.get_mut(&field) {
            *count = count.saturating_sub(units);
            if *count == 0 {
                self.users.remove(&field);
            }
        }
    }
}
