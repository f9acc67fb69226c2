//! The saga: takes each order from its hold to settled money, or gives back what it has taken. Its state is in the books alone.
//!
//! A tour. [`placing`] writes orders down. `placed` → [`begin`] (the hold is being paid for; points and coupon are set aside; the attempt is written) → `charging` → [`charge`]
//! (the provider; what is unknown is asked, never assumed) → `captured`, written before anything else ([`capture`]) → [`settle`] (the units are
//! sold) → `paid`. What fails goes to `undoing` ([`undo`]): money, units, points and coupon go back, in reverse; what contradicts itself
//! is `parked` for a person. Refunds of paid orders are [`refund`].
//!
//! Any number of back-offices may work. An order that is due is taken for a while, under a new version; a step that was overtaken, because its
//! worker was killed or stood still, moves nothing in the books, and what it did outside is repeatable: scripts, charges and refunds all
//! have ids that follow from the order's. Steps take all that waits for them, up to a bound: one transaction moves many orders.
//! Who has just placed an order hands it over in memory; all else is found by a look at the books.

pub(super) mod attempts;
pub(super) mod begin;
pub(super) mod capture;
pub(super) mod charge;
mod outcome;
pub(super) mod placing;
mod queues;
pub(in crate::orders) mod refund;
pub(super) mod settle;
pub(super) mod store;
pub(in crate::orders) mod undo;

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::limits::{BATCH_MAX, LOOK_EVERY};
use super::model::{Order, State, Why};
use crate::app::App;
use crate::metrics;
pub(super) use outcome::stray;
use outcome::{holds, park, park_refused, put_off, rest, told};
pub(super) use placing::New;
use queues::Job;
pub(crate) use queues::Saga;

/// Works until `stop`. What is under way then is done by another back-office, or by this one when it is back.
pub(crate) async fn run(app: App, stop: CancellationToken) {
    let Some(ends) = app.saga.ends() else { return };
    let tasks = TaskTracker::new();
    tasks.spawn(step(ends.place, app.clone(), stop.clone(), placing::batch));
    tasks.spawn(step(ends.begin, app.clone(), stop.clone(), begin::batch));
    tasks.spawn(step(
        ends.capture,
        app.clone(),
        stop.clone(),
        capture::batch,
    ));
    tasks.spawn(step(ends.settle, app.clone(), stop.clone(), settle::batch));
    tasks.spawn(step(ends.charge, app.clone(), stop.clone(), charges));
    look(&app, &stop).await;
    tasks.close();
    tasks.wait().await;
}

/// Takes all that waits, up to a bound, while the batch before is being done.
async fn step<T, F: Future<Output = ()>>(
    mut waiting: mpsc::Receiver<T>,
    app: App,
    stop: CancellationToken,
    batch: impl Fn(App, Vec<T>) -> F,
) {
    loop {
        let mut jobs = Vec::new();
        let taken = waiting.recv_many(&mut jobs, BATCH_MAX);
        match stop.run_until_cancelled(taken).await {
            Some(count) if count > 0 => batch(app.clone(), jobs).await,
            _ => return,
        }
    }
}

/// Each by itself, and so many at once.
async fn charges(app: App, jobs: Vec<Job>) {
    for job in jobs {
        spawn(&app, job, charge::one).await;
    }
}

/// Asks about all of them at once; the gate's connection takes the calls as they come.
async fn at_once<R, F>(app: &App, jobs: Vec<Job>, ask: impl Fn(App, Job) -> F) -> Vec<R>
where
    R: Send + 'static,
    F: Future<Output = R> + Send + 'static,
{
    let mut asked = JoinSet::new();
    // What has waited too long is taken anew.
    for job in jobs.into_iter().filter(|job| !job.is_overdue()) {
        asked.spawn(ask(app.clone(), job));
    }
    asked.join_all().await
}

/// What talks to the provider: by itself, when there is leave for it.
async fn spawn<F>(app: &App, job: Job, one: impl FnOnce(App, Job) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let Some(leave) = app.saga.talk().await else {
        return;
    };
    if job.is_overdue() {
        return;
    }
    let done = one(app.clone(), job);
    tokio::spawn(async move {
        done.await;
        drop(leave);
    });
}

/// It failed: undone by itself. The step that found out does not wait for it, so no queue waits for another in a circle.
fn undo_later(app: &App, job: Job, why: Why) {
    let app = app.clone();
    tokio::spawn(async move {
        let Some(_leave) = app.saga.talk().await else {
            return;
        };
        if !job.is_overdue() {
            undo::begin(&app, job, why, None).await;
        }
    });
}

/// What is due in the books, until `stop`.
async fn look(app: &App, stop: &CancellationToken) {
    let mut counted_at = Instant::now();
    loop {
        let took = match store::take(&app.books).await {
            Ok(orders) => {
                let took = orders.len();
                for order in orders {
                    dispatch(app, order).await;
                }
                took
            }
            Err(error) => {
                tracing::debug!(%error, "orders that are due could not be seen");
                0
            }
        };
        if counted_at.elapsed() > Duration::from_secs(5) {
            counted_at = Instant::now();
            if let Ok(counts) = store::counts(&app.books).await {
                metrics::orders(&counts);
            }
        }
        let woken = async {
            tokio::select! {
                () = app.saga.woken() => {}
                () = sleep(LOOK_EVERY) => {}
            }
        };
        if stop.is_cancelled() || (took == 0 && stop.run_until_cancelled(woken).await.is_none()) {
            return;
        }
    }
}

async fn dispatch(app: &App, order: Order) {
    let job = Job::taken(order);
    match job.order.state {
        State::Placed if job.order.cancel_asked => {
            undo_later(app, job, Why::CancelledByBuyer);
        }
        State::Placed => app.saga.begin(job).await,
        State::Charging => app.saga.charge(job).await,
        State::Captured => app.saga.settle(job).await,
        State::Undoing => spawn(app, job, undo::one).await,
        State::Paid => spawn(app, job, refund::one).await,
        // Nothing is due of these.
        State::Cancelled | State::Refunded | State::Parked => rest(app, job).await,
    }
}
