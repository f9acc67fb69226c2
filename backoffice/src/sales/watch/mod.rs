//! `GET …/events`: a live sale, told once a second (server-sent events, WHATWG HTML §9.2).
//!
//! One look a second per sale, however many watch: the first who comes starts it, and it ends when the last has gone. An event's id is its
//! time; the last two minutes are kept, so that a chart is full at once, and one who comes back with `Last-Event-ID` misses nothing of them. Watchers are
//! bounded in number; a stream ends after some minutes, so that a token that is over, or revoked, watches no longer, and its client comes back. One that
//! does not read ends its own.

mod look;
mod store;

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use doorbuster_core::ids::SaleId;
use hyper::body::Frame;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, mpsc};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use super::store as sales;
use crate::app::App;
use crate::error::{ApiError, Problem};
use crate::extract::SalePath;
use crate::limits::{
    WATCH_EVERY, WATCH_LIFE, WATCH_LOOKS_KEPT, WATCH_PIECES_MAX, WATCH_SEND_TIMEOUT, WATCHERS_MAX,
};
pub(crate) use look::SaleLook;

/// Who watches what.
#[derive(Debug)]
pub(crate) struct Watches {
    sales: Mutex<HashMap<SaleId, Watch>>,
    room: Arc<Semaphore>,
}

#[derive(Debug)]
struct Watch {
    recent: VecDeque<Told>,
    news: broadcast::Sender<Told>,
}

/// An event, as it goes over the wire.
#[derive(Debug, Clone)]
struct Told {
    id: u64,
    text: Bytes,
}

impl Default for Watches {
    fn default() -> Self {
        Self {
            sales: Mutex::default(),
            room: Arc::new(Semaphore::new(WATCHERS_MAX)),
        }
    }
}

/// A sale as it goes on, once a second, as server-sent events
#[utoipa::path(get, path = "/admin/v1/sales/{id}/events", tag = "sales", security(("token" = [])),
    params(("id" = String, Path), ("Last-Event-ID" = Option<u64>, Header, description = "Id of the last event that was read: only later ones are told")),
    responses(
    (status = 200, description = "Events `look`, each a SaleLook as JSON; events `trouble` while a server behind does not answer. Ends after some minutes: come back",
        content_type = "text/event-stream", body = SaleLook),
    (status = 404, description = "unknown_sale", body = Problem),
    (status = 503, description = "overloaded: too many watch", body = Problem)))]
pub(crate) async fn events(
    State(app): State<App>,
    SalePath(id): SalePath,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    sales::find(&app.books, &id).await?;
    let room = Arc::clone(&app.watches.room).try_acquire_owned();
    let place = room.map_err(|_| ApiError::TooManyWatchers)?;
    let last = headers.get("last-event-id");
    let last = last.and_then(|id| id.to_str().ok()?.parse().ok());
    let (missed, news) = join(&app, &id, last.unwrap_or(0));
    let (pieces, body) = mpsc::channel(WATCH_PIECES_MAX);
    // Bounded by the places; ends with its client, its time, or the program.
    tokio::spawn(tell(missed, news, pieces, place));
    let kind = [
        (header::CONTENT_TYPE, "text/event-stream"),
        // A proxy that gathers the answer would tell everything at the end.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((kind, Body::new(Pieces(body))).into_response())
}

/// What was told after event `last`, and what is told from now on, without a gap; the first who joins starts the looks.
fn join(app: &App, id: &SaleId, last: u64) -> (Vec<Told>, broadcast::Receiver<Told>) {
    let mut watched = app.watches.locked();
    if let Some(watch) = watched.get(id) {
        let missed = watch.recent.iter().filter(|told| told.id > last);
        return (missed.cloned().collect(), watch.news.subscribe());
    }
    let (news, receiver) = broadcast::channel(WATCH_PIECES_MAX);
    let recent = VecDeque::with_capacity(WATCH_LOOKS_KEPT);
    watched.insert(id.clone(), Watch { recent, news });
    tokio::spawn(keep_looking(app.clone(), id.clone()));
    (Vec::new(), receiver)
}

impl Watches {
    fn locked(&self) -> MutexGuard<'_, HashMap<SaleId, Watch>> {
        self.sales.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anybody still watches.
    fn tell(&self, id: &SaleId, told: Told, is_look: bool) -> bool {
        let mut watched = self.locked();
        let Some(watch) = watched.get_mut(id) else {
            return false;
        };
        if is_look {
            if watch.recent.len() == WATCH_LOOKS_KEPT {
                watch.recent.pop_front();
            }
            watch.recent.push_back(told.clone());
        }
        if watch.news.send(told).is_err() {
            watched.remove(id);
            return false;
        }
        true
    }
}

/// Looks until nobody watches any more, or the program drains.
async fn keep_looking(app: App, id: SaleId) {
    let mut before: Option<SaleLook> = None;
    let mut ticks = interval(WATCH_EVERY);
    // Looks that a server in trouble held up are not made up for, all at once as it comes back.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if app.is_draining() {
            app.watches.locked().remove(&id);
            return;
        }
        let goes_on = match look::look(&app, &id, before.as_ref()).await {
            Ok(now) => {
                let told = look_event(&now);
                before = Some(now);
                app.watches.tell(&id, told, true)
            }
            Err(error) => {
                tracing::debug!(%error, sale = %id, "a watched sale could not be looked at");
                app.watches.tell(&id, trouble_event(error.code()), false)
            }
        };
        if !goes_on {
            return;
        }
    }
}

fn look_event(look: &SaleLook) -> Told {
    let json = serde_json::to_string(look).expect("a look is plain data");
    Told {
        id: look.at_ms,
        text: format!("id: {}\nevent: look\ndata: {json}\n\n", look.at_ms).into(),
    }
}

/// Without an id: it is no part of what a client may miss.
fn trouble_event(code: &str) -> Told {
    Told {
        id: 0,
        text: format!("event: trouble\ndata: {{\"code\":\"{code}\"}}\n\n").into(),
    }
}

async fn tell(
    missed: Vec<Told>,
    mut news: broadcast::Receiver<Told>,
    pieces: mpsc::Sender<Bytes>,
    _place: OwnedSemaphorePermit,
) {
    let end = Instant::now() + WATCH_LIFE;
    let send = async |text: Bytes| {
        matches!(
            timeout(WATCH_SEND_TIMEOUT, pieces.send(text)).await,
            Ok(Ok(()))
        )
    };
    // A comment at once: a client knows that it is connected before the first look.
    if !send(Bytes::from_static(b": watching\nretry: 1000\n\n")).await {
        return;
    }
    for told in missed {
        if !send(told.text).await {
            return;
        }
    }
    loop {
        let told = tokio::select! {
            told = news.recv() => told,
            () = sleep_until(end) => return,
            () = pieces.closed() => return,
        };
        match told {
            Ok(told) => {
                if !send(told.text).await {
                    return;
                }
            }
            // It read too slowly: it comes back and is told what is kept.
            Err(broadcast::error::RecvError::Lagged(_) | broadcast::error::RecvError::Closed) => {
                return;
            }
        }
    }
}

/// The body of a stream.
struct Pieces(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0
            .poll_recv(cx)
            .map(|piece| piece.map(|p| Ok(Frame::data(p))))
    }
}
