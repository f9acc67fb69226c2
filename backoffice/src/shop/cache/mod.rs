//! What shoppers read most, kept near: in this process, then in Redis, then in MySQL.
//!
//! A miss is filled by one reader while all others wait for it. Lives are short and differ, so that nothing ends everywhere at
//! once. A change of staff is written through: the writer, after its commit, puts the new page into Redis and tells all
//! back-offices, which forget theirs and from then on take nothing of a lower version (`floors`); each is told again a
//! few times (`telling`). What changes with time alone, because a sale or
//! a notice begins or ends, is kept until then and no longer. A notice that is lost, or a
//! Redis that is away, costs staleness until the lives end: well under a minute. What it does not know it never invents.

mod far;
mod fill;
mod floors;
pub(crate) mod store;
mod telling;
pub(crate) mod tend;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use doorbuster_core::clock;
use doorbuster_core::gate::Gate;
use doorbuster_core::gate::cache::Changed;
use doorbuster_core::ids::SaleId;
use moka::Expiry;
use moka::future::Cache;
use uuid::Uuid;

use crate::app::App;
use crate::catalog::ids::{Named as _, ProductId};
use crate::error::ApiError;
use crate::limits::{CACHE_ABSENT_LIFE, CACHE_NEAR_BYTES_MAX};
use crate::metrics;
use far::Far;
use floors::{Floors, Raised};
use telling::Telling;

/// Before a product's id.
const PRODUCT: &str = "product:";

/// What can be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Name {
    /// A product's page.
    Product(ProductId),
    /// The tree of categories.
    Categories,
    /// The notices of the moment.
    Notices,
}

impl Name {
    fn kind(&self) -> &'static str {
        match self {
            Self::Product(_) => "product",
            Self::Categories => "categories",
            Self::Notices => "notices",
        }
    }

    fn key(&self) -> String {
        match self {
            Self::Product(id) => format!("{PRODUCT}{id}"),
            Self::Categories | Self::Notices => self.kind().to_owned(),
        }
    }
}

/// One answer.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) version: u64,
    /// JSON; `None`: there is no such thing.
    pub(crate) body: Option<Bytes>,
    /// Whose reads are counted; 0: nobody's.
    pub(crate) product_no: u32,
    /// Milliseconds since 1970 from which on it would be told otherwise though nobody has changed anything; none: never.
    ends_ms: Option<u64>,
    life: Duration,
    /// Whether Redis may have it too.
    is_shared: bool,
}

/// The cache of one back-office.
#[derive(Debug)]
pub(crate) struct ShopCache {
    near: Cache<String, Arc<Entry>>,
    far: Far,
    floors: Floors,
    telling: Telling,
}

struct Lives;

impl Expiry<String, Arc<Entry>> for Lives {
    fn expire_after_create(
        &self,
        _: &String,
        entry: &Arc<Entry>,
        _: std::time::Instant,
    ) -> Option<Duration> {
        Some(entry.life)
    }

    fn expire_after_update(
        &self,
        _: &String,
        entry: &Arc<Entry>,
        _: std::time::Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.life)
    }
}

impl ShopCache {
    pub(crate) fn new(gate: Gate) -> Self {
        let weight = |key: &String, entry: &Arc<Entry>| {
            // What an entry costs beside its texts.
            let bytes = 200 + key.len() + entry.body.as_ref().map_or(0, Bytes::len);
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        Self {
            near: Cache::builder()
                .max_capacity(CACHE_NEAR_BYTES_MAX)
                .weigher(weight)
                .expire_after(Lives)
                .build(),
            far: Far::new(gate),
            floors: Floors::default(),
            telling: Telling::default(),
        }
    }

    /// From wherever it is nearest.
    ///
    /// # Errors
    /// [`ApiError`] of MySQL, where it had to be asked.
    pub(crate) async fn get(&self, app: &App, name: &Name) -> Result<Arc<Entry>, ApiError> {
        if let Some(entry) = self.near(name).await {
            metrics::cache_read(name.kind(), "near");
            return Ok(entry);
        }
        let key = name.key();
        let filled = self
            .near
            .try_get_with(key, fill::fill(self, app, name))
            .await;
        filled.map_err(|error: Arc<ApiError>| match &*error {
            ApiError::Internal(_) => {
                ApiError::Internal(anyhow::anyhow!("filling the cache: {error:?}"))
            }
            _ => ApiError::Unavailable(anyhow::anyhow!("filling the cache: {error:?}")),
        })
    }

    /// Where it is near, and not older than a change that was told.
    pub(crate) async fn near(&self, name: &Name) -> Option<Arc<Entry>> {
        let key = name.key();
        let entry = self.near.get(&key).await?;
        // What there is not has no version; it ends within seconds.
        if entry.body.is_none() || self.floors.allow(&key, entry.version) {
            return Some(entry);
        }
        self.near.invalidate(&key).await;
        None
    }

    /// After the commit of a change: what is there from now on is put into Redis, and everyone is told. Never fails: what could
    /// not be told ends by itself.
    pub(crate) async fn written(&self, app: &App, name: &Name, version: u64) {
        let changed = Changed {
            name: name.key(),
            version,
        };
        self.heard(app, &changed).await;
        match fill::load(app, name).await {
            Ok(entry) => self.far.replace(&changed.name, &entry).await,
            Err(error) => {
                tracing::warn!(
                    ?error,
                    name = changed.name,
                    "what was written could not be read back for the cache"
                );
                self.far.forget(&changed.name).await;
            }
        }
        let is_told = self.far.tell(&changed).await;
        self.telling.add(&changed, is_told);
    }

    /// Somebody has changed something.
    async fn heard(&self, app: &App, changed: &Changed) {
        match self.floors.raise(&changed.name, changed.version) {
            // Told again.
            Raised::Not => return,
            Raised::Here => {}
            // Nothing that is here can be trusted to be new enough.
            Raised::AndAllForgotten => self.near.invalidate_all(),
        }
        self.near.invalidate(&changed.name).await;
        if let Some(product) = changed.name.strip_prefix(PRODUCT) {
            app.lists.heard(&app.books, product).await;
        }
    }
}

impl Entry {
    /// No longer than until it would be told otherwise.
    fn until(self, ends_ms: Option<u64>) -> Self {
        Self {
            ends_ms,
            life: left(self.life, ends_ms),
            ..self
        }
    }

    /// Nothing is there, or not yet: it is looked for again soon.
    fn for_a_moment(self) -> Self {
        Self {
            life: left(jittered(CACHE_ABSENT_LIFE), self.ends_ms),
            is_shared: false,
            ..self
        }
    }

    /// The answer to a shopper, or 404 where there is nothing.
    pub(crate) fn response(&self) -> Result<Response, ApiError> {
        let body = self.body.clone().ok_or_else(ProductId::unknown)?;
        const JSON: HeaderValue = HeaderValue::from_static("application/json");
        Ok(([(header::CONTENT_TYPE, JSON)], body).into_response())
    }
}

/// After a sale was published: the pages of what it sells show it. What cannot be told ends by itself.
pub(crate) async fn sale_changed(app: &App, sale: &SaleId) {
    match store::sale_changed(&app.books, sale).await {
        Ok(products) => {
            for (id, version) in products {
                if let Ok(id) = ProductId::parse(id) {
                    app.shop.written(app, &Name::Product(id), version).await;
                }
            }
        }
        Err(error) => {
            tracing::warn!(%error, %sale, "pages show the sale only once they are read anew")
        }
    }
}

/// Of `life` what is left before that time.
fn left(life: Duration, ends_ms: Option<u64>) -> Duration {
    let until = ends_ms.map(|ends_ms| ends_ms.saturating_sub(clock::now_ms()).max(1));
    until.map_or(life, |until| life.min(Duration::from_millis(until)))
}

/// `life`, a fifth more or less: what was filled at the same time does not end at the same time.
fn jittered(life: Duration) -> Duration {
    let [first, second, ..] = *Uuid::new_v4().as_bytes();
    let share = f64::from(u16::from_le_bytes([first, second])) / f64::from(u16::MAX);
    life.mul_f64(0.8 + 0.4 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_past_the_time_from_which_it_is_told_otherwise() {
        let life = Duration::from_secs(10);
        assert_eq!(left(life, None), life);
        assert_eq!(left(life, Some(clock::now_ms() + 60_000)), life);
        assert!(left(life, Some(clock::now_ms() + 500)) <= Duration::from_millis(500));
        assert_eq!(left(life, Some(5)), Duration::from_millis(1));
    }

    #[test]
    fn lives_differ_by_a_fifth_at_most() {
        let life = Duration::from_secs(10);
        let lives: Vec<Duration> = (0..100).map(|_| jittered(life)).collect();
        assert!(
            lives
                .iter()
                .all(|one| (Duration::from_secs(8)..=Duration::from_secs(12)).contains(one))
        );
        assert!(lives.iter().any(|one| *one != lives[0]));
    }
}
