//! Tells of what happened, as providers do: at least once if at all, in whatever order, late, and now and then badly signed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use doorbuster_core::clock;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::{Method, Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::fate::HookFate;
use super::limits::{
    HOOK_REORDER_WAIT, HOOK_RETRY_FIRST, HOOK_RETRY_MAX, HOOK_TIMEOUT, HOOK_TRIES_MAX,
    HOOKS_AT_ONCE, HOOKS_WAITING_MAX,
};
use super::wire::Event;
use crate::payments::signature::{self, Signer};

/// How often a duplicated webhook comes.
const TOLD_TIMES: usize = 3;

pub(crate) struct Hooks {
    /// Where to, and signed by what; none where nobody is told.
    to: Option<(Uri, Signer)>,
    client: Client<HttpConnector, Full<Bytes>>,
    waiting: Arc<Semaphore>,
    at_once: Semaphore,
    told: AtomicU64,
    refused: AtomicU64,
    lost: AtomicU64,
}

/// How many were taken, not taken (each try counts), and given up or never told.
#[derive(Debug, Serialize)]
pub(crate) struct HookCounts {
    told: u64,
    refused: u64,
    lost: u64,
    waiting: usize,
}

impl Hooks {
    pub(crate) fn new(to: Option<(Uri, Signer)>) -> Arc<Self> {
        Arc::new(Self {
            to,
            client: Client::builder(TokioExecutor::new())
                .pool_max_idle_per_host(HOOKS_AT_ONCE)
                .build_http(),
            waiting: Arc::new(Semaphore::new(HOOKS_WAITING_MAX)),
            at_once: Semaphore::new(HOOKS_AT_ONCE),
            told: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        })
    }

    pub(crate) fn counts(&self) -> HookCounts {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        HookCounts {
            told: of(&self.told),
            refused: of(&self.refused),
            lost: of(&self.lost),
            waiting: HOOKS_WAITING_MAX - self.waiting.available_permits(),
        }
    }

    /// Tells it in a task of its own.
    pub(crate) fn tell(self: &Arc<Self>, event: Event, fate: HookFate) {
        if self.to.is_none() {
            return;
        }
        let place = Arc::clone(&self.waiting).try_acquire_owned();
        let (Ok(place), true) = (place, fate != HookFate::Lost) else {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let hooks = Arc::clone(self);
        tokio::spawn(async move {
            hooks.tell_as(&event, fate).await;
            drop(place);
        });
    }

    async fn tell_as(&self, event: &Event, fate: HookFate) {
        match fate {
            HookFate::Late(wait) => sleep(wait).await,
            HookFate::Reordered => sleep(HOOK_REORDER_WAIT).await,
            HookFate::Unsigned => drop(self.send(event, false).await),
            HookFate::Plain | HookFate::Duplicate | HookFate::Lost => {}
        }
        let times = if fate == HookFate::Duplicate {
            TOLD_TIMES
        } else {
            1
        };
        for _ in 0..times {
            self.until_taken(event).await;
        }
    }

    async fn until_taken(&self, event: &Event) {
        let mut pause = HOOK_RETRY_FIRST;
        for _ in 0..HOOK_TRIES_MAX {
            if self.send(event, true).await {
                return;
            }
            sleep(pause).await;
            pause = (pause * 2).min(HOOK_RETRY_MAX);
        }
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether it was taken.
    async fn send(&self, event: &Event, well_signed: bool) -> bool {
        let Ok(_place) = self.at_once.acquire().await else {
            return false;
        };
        let taken = match self.request(event, well_signed) {
            Some(request) => timeout(HOOK_TIMEOUT, self.exchange(request)).await == Ok(true),
            None => false,
        };
        let count = if taken { &self.told } else { &self.refused };
        count.fetch_add(1, Ordering::Relaxed);
        taken
    }

    fn request(&self, event: &Event, well_signed: bool) -> Option<Request<Full<Bytes>>> {
        let (url, signer) = self.to.as_ref()?;
        let body = serde_json::to_vec(event).ok()?;
        let now_s = clock::now_s();
        let over: &[u8] = if well_signed {
            &body
        } else {
            b"something else"
        };
        let signature = signer.sign(&event.id, now_s, over);
        Request::builder()
            .method(Method::POST)
            .uri(url)
            .header("content-type", "application/json")
            .header(signature::ID, &event.id)
            .header(signature::TIMESTAMP, now_s)
            .header(signature::SIGNATURE, signature)
            .body(Full::new(Bytes::from(body)))
            .ok()
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> bool {
        let Ok(response) = self.client.request(request).await else {
            return false;
        };
        let taken = response.status().is_success();
        // Read to its end, so that the connection can be used again.
        let _ = response.into_body().collect().await;
        taken
    }
}
