//! What is wrong with a sale before it opens. Called by its handler. `texts` has the words; what keeps it from selling is an error, what staff
//! may well have meant is a warning.

mod store;
mod texts;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use doorbuster_core::clock;
use doorbuster_core::gate::Fenced;
use doorbuster_core::gate::snapshot::Snapped;
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use super::schedule;
use super::store as sales;
use super::store::StoredSale;
use crate::app::App;
use crate::error::{ApiError, Problem};
use crate::extract::SalePath;
use crate::limits::{ENGINE_SILENT, HOLD_SECONDS_SHORT, READY_TIMEOUT};
pub(crate) use store::engines_alive;
pub(crate) use texts::{Code, Severity};

/// What is wrong with a sale.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SaleProblems {
    /// Whether nothing of it is an error
    #[schema(example = true)]
    pub sells: bool,
    pub problems: Vec<SaleProblem>,
}

/// One thing that is wrong with it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SaleProblem {
    pub code: Code,
    pub severity: Severity,
    /// JSON pointer to the field of the draft that it is about; null where it is about none
    #[schema(example = "/items/0/stock")]
    pub pointer: Option<String>,
    pub text: Text,
}

/// The same in each language of ours.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct Text {
    #[schema(example = "No engine gives a sign of life: nobody could buy.")]
    pub en: &'static str,
    #[schema(example = "작동 중인 엔진이 없어 아무도 구매할 수 없습니다.")]
    pub ko: &'static str,
}

/// What is wrong with a sale before it opens, in words for people
#[utoipa::path(get, path = "/admin/v1/sales/{id}/problems", tag = "sales", params(("id" = String, Path)), security(("token" = [])), responses(
    (status = 200, description = "An empty list: nothing is", body = SaleProblems),
    (status = 404, description = "unknown_sale", body = Problem)))]
pub(crate) async fn list(
    State(app): State<App>,
    SalePath(id): SalePath,
) -> Result<Json<SaleProblems>, ApiError> {
    let stored = sales::find(&app.books, &id).await?;
    let mut found = Found::default();
    about_times(&mut found, &stored, clock::now());
    about_items(&mut found, &stored);
    about_schedule(&mut found, &app, &stored).await?;
    about_servers(&mut found, &app, &stored).await?;
    let problems = found.0;
    let sells = problems.iter().all(|p| p.severity != Severity::Error);
    Ok(Json(SaleProblems { sells, problems }))
}

/// The problems so far.
#[derive(Default)]
struct Found(Vec<SaleProblem>);

impl Found {
    fn add(&mut self, code: Code, pointer: Option<String>) {
        self.0.push(SaleProblem {
            code,
            severity: code.severity(),
            pointer,
            text: code.text(),
        });
    }

    fn at(&mut self, code: Code, pointer: &str) {
        self.add(code, Some(pointer.to_owned()));
    }
}

fn about_times(found: &mut Found, stored: &StoredSale, now: DateTime<Utc>) {
    let sale = &stored.sale;
    if sale.closes_at <= now {
        return found.at(Code::WindowOver, "/closes_at");
    }
    if stored.published_at.is_none() && sale.opens_at <= now {
        found.at(Code::OpensAtOnce, "/opens_at");
    }
    if sale.closes_at - sale.opens_at < TimeDelta::seconds(i64::from(sale.hold_seconds)) {
        found.at(Code::WindowShorterThanHold, "/hold_seconds");
    }
    if sale.hold_seconds < HOLD_SECONDS_SHORT {
        found.at(Code::HoldShort, "/hold_seconds");
    }
    let draws = sale.line.as_ref().is_some_and(|line| line.draw);
    if draws && stored.published_at.is_none() && sale.opens_at <= now {
        found.at(Code::DrawOfNobody, "/line/draw");
    }
}

fn about_items(found: &mut Found, stored: &StoredSale) {
    let items = &stored.sale.items;
    if items.iter().all(|item| item.stock == 0) {
        return found.at(Code::NoStock, "/items");
    }
    for (i, item) in items.iter().enumerate() {
        let at = |field: &str| Some(format!("/items/{i}/{field}"));
        if item.stock == 0 {
            found.add(Code::ItemWithoutStock, at("stock"));
        }
        if item.price.amount == 0 {
            found.add(Code::PriceZero, at("price/amount"));
        }
        if item.limit_per_user == 0 {
            found.add(Code::NoLimit, at("limit_per_user"));
        } else if item.stock > 0 && item.limit_per_user >= item.stock {
            found.add(Code::LimitCoversStock, at("limit_per_user"));
        }
    }
}

async fn about_schedule(found: &mut Found, app: &App, stored: &StoredSale) -> Result<(), ApiError> {
    if stored.published_at.is_some() || stored.sale.closes_at <= clock::now() {
        return Ok(());
    }
    match schedule::store::find(&app.books, &stored.sale.id).await? {
        None => found.add(Code::NotScheduled, None),
        Some(row) if row.problem.is_some() && row.done_at.is_none() => {
            found.add(Code::ScheduleFails, None);
        }
        Some(row) if row.publish_at > stored.sale.opens_at => {
            found.add(Code::ScheduledLate, None);
        }
        Some(_) => {}
    }
    Ok(())
}

async fn about_servers(found: &mut Found, app: &App, stored: &StoredSale) -> Result<(), ApiError> {
    if store::engines_alive(&app.books, ENGINE_SILENT).await? == 0 {
        found.add(Code::NoEngine, None);
    }
    let subject = stored.subject();
    match timeout(READY_TIMEOUT, app.gate.snapshot(&subject.live)).await {
        Err(_) | Ok(Err(_)) => found.add(Code::RedisAway, None),
        Ok(Ok(Snapped::Snapshot(snapshot))) => {
            if !subject.published {
                found.add(Code::RedisHasIt, None);
            } else if !snapshot.is_vouched() {
                found.add(Code::Recovering, None);
            }
        }
        Ok(Ok(Snapped::Fenced(Fenced::UnknownSale))) if !subject.published => {}
        Ok(Ok(Snapped::Fenced(_))) => found.add(Code::Recovering, None),
    }
    if store::is_writer_stopped(&app.books, &subject.live.book_id()).await? {
        found.add(Code::WriterStopped, None);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use doorbuster_core::ids::{SaleId, SkuId};
    use doorbuster_core::money::{Currency, Money};

    use super::super::draft::{Item, Sale};
    use super::*;

    fn stored(change: impl FnOnce(&mut Sale)) -> StoredSale {
        let now = clock::now();
        let mut sale = Sale {
            id: SaleId::parse("s").unwrap(),
            title: "s".into(),
            opens_at: now + TimeDelta::hours(1),
            closes_at: now + TimeDelta::hours(2),
            hold_seconds: 300,
            payment_seconds: 300,
            line: None,
            items: vec![Item {
                sku: SkuId::parse("a").unwrap(),
                title: "a".into(),
                price: Money {
                    amount: 1,
                    currency: Currency::parse("KRW").unwrap(),
                },
                stock: 100,
                limit_per_user: 2,
            }],
        };
        change(&mut sale);
        StoredSale {
            sale,
            created_at: now,
            published_at: None,
            pledge: None,
            version: 1,
        }
    }

    fn codes(change: impl FnOnce(&mut Sale)) -> Vec<Code> {
        let (mut found, stored) = (Found::default(), stored(change));
        about_times(&mut found, &stored, clock::now());
        about_items(&mut found, &stored);
        found.0.iter().map(|problem| problem.code).collect()
    }

    #[test]
    fn a_sale_that_is_well_has_no_problems_and_each_that_is_not_has_its_own() {
        assert_eq!(codes(|_| ()), []);
        let past = clock::now() - TimeDelta::hours(1);
        assert_eq!(codes(|s| s.opens_at = past), [Code::OpensAtOnce]);
        assert_eq!(codes(|s| s.closes_at = past), [Code::WindowOver]);
        assert_eq!(
            codes(|s| s.hold_seconds = 7_200),
            [Code::WindowShorterThanHold]
        );
        assert_eq!(codes(|s| s.hold_seconds = 5), [Code::HoldShort]);
        assert_eq!(codes(|s| s.items[0].stock = 0), [Code::NoStock]);
        assert_eq!(codes(|s| s.items[0].price.amount = 0), [Code::PriceZero]);
        assert_eq!(codes(|s| s.items[0].limit_per_user = 0), [Code::NoLimit]);
        assert_eq!(
            codes(|s| s.items[0].limit_per_user = 100),
            [Code::LimitCoversStock]
        );
        let two = |s: &mut Sale| {
            s.items.push(s.items[0].clone());
            s.items[1].stock = 0;
        };
        assert_eq!(codes(two), [Code::ItemWithoutStock]);
    }
}
