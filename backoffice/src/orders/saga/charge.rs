//! The second step: the provider. What it did not say is asked; what it never says is called off before it is given up.

use doorbuster_core::clock;
use doorbuster_core::money::Money;
use serde_json::json;
use tokio::time::{Instant, timeout, timeout_at};

use super::capture::Captured;
use super::{Job, attempts, park, put_off, undo};
use crate::accounts::secret::Secret;
use crate::app::App;
use crate::crash;
use crate::orders::limits::{ASK_BUDGET, CHARGE_BUDGET, STEP_BUDGET};
use crate::orders::model::{Order, Why};
use crate::payments::charge::{AttemptId, Charge, Charged, Found, Voided};

/// What came of it.
pub(super) enum Decided {
    Captured {
        provider_ref: String,
        amount: Money,
    },
    Declined {
        provider_ref: Option<String>,
        reason: String,
    },
    /// Nothing was captured, nor will be.
    CalledOff,
    Later(&'static str),
}

pub(super) async fn one(app: App, job: Job) {
    let until = Instant::now() + STEP_BUDGET;
    let decided = if gives_up(&job.order) {
        call_off(&app, &job.order).await
    } else if job.resumed {
        ask(&app, &job.order, (until, true)).await
    } else {
        send(&app, &job.order, until).await
    };
    crash::point("order_charged_before_books");
    decide(app, job, decided).await;
}

pub(super) async fn decide(app: App, job: Job, decided: Decided) {
    let order = &job.order;
    match decided {
        Decided::Captured {
            provider_ref,
            amount,
        } if amount == order.money(order.total) => {
            let captured = Captured { job, provider_ref };
            app.saga.capture(captured).await;
        }
        Decided::Captured {
            provider_ref,
            amount,
        } => {
            let data = json!({"asked": order.money(order.total), "captured": amount, "provider_ref": provider_ref});
            let captured = if amount.currency == order.currency {
                amount.amount
            } else {
                0
            };
            // So that it can be given back.
            match note_capture(&app, order, &provider_ref).await {
                Ok(()) => park(&app, job, Why::AmountDiffers, captured, data).await,
                Err(_) => put_off(&app, &job, "mysql").await,
            }
        }
        Decided::Declined {
            provider_ref,
            reason,
        } => {
            let ended = ("declined", provider_ref, Some(reason));
            undo::begin(&app, job, Why::PaymentFailed, Some(ended)).await;
        }
        Decided::CalledOff => {
            let why = if order.cancel_asked {
                Why::CancelledByBuyer
            } else {
                Why::PaymentFailed
            };
            undo::begin(&app, job, why, Some(("voided", None, None))).await;
        }
        Decided::Later(why) => put_off(&app, &job, why).await,
    }
}

async fn note_capture(app: &App, order: &Order, provider_ref: &str) -> sqlx::Result<()> {
    let mut tx = app.books.begin().await?;
    attempts::store::captured(&mut tx, &[(order, provider_ref)]).await?;
    tx.commit().await
}

/// The buyer wants no more, or the units are not his any more.
fn gives_up(order: &Order) -> bool {
    order.cancel_asked || order.pay_until.is_none_or(|until| clock::now() >= until)
}

/// `until`: when the step has to be over, whatever it has heard.
async fn send(app: &App, order: &Order, until: Instant) -> Decided {
    let charge = Charge {
        attempt: AttemptId::new(order.attempt()),
        order: order.id.hyphenated().to_string(),
        amount: order.money(order.total),
        method: order.method.clone(),
        token: order.token.clone().unwrap_or_else(|| Secret::new("")),
        deadline: until.min(Instant::now() + CHARGE_BUDGET),
    };
    match app.payments.charge(charge).await {
        Charged::Captured {
            provider_ref,
            amount,
            ..
        } => Decided::Captured {
            provider_ref,
            amount,
        },
        Charged::Declined {
            provider_ref,
            reason,
        } => Decided::Declined {
            provider_ref,
            reason,
        },
        Charged::NotSent => Decided::Later("the provider is left alone"),
        Charged::Unknown => {
            crash::point("order_charge_unknown");
            Box::pin(ask(app, order, (until, false))).await
        }
    }
}

/// `sends`: what the provider never heard of is sent, under the same key.
async fn ask(app: &App, order: &Order, (until, sends): (Instant, bool)) -> Decided {
    let asked = timeout_at(
        until.min(Instant::now() + ASK_BUDGET),
        app.payments.find(AttemptId::new(order.attempt())),
    );
    match asked.await.unwrap_or(Found::Unknown) {
        Found::NeverHeard if sends => send(app, order, until).await,
        found => heard(found),
    }
}

/// What the provider says of an attempt, when it is asked.
pub(super) fn heard(found: Found) -> Decided {
    match found {
        Found::Captured {
            provider_ref,
            amount,
            ..
        } => Decided::Captured {
            provider_ref,
            amount,
        },
        Found::Declined {
            provider_ref,
            reason,
        } => Decided::Declined {
            provider_ref,
            reason,
        },
        Found::Voided => Decided::CalledOff,
        Found::Pending => Decided::Later("the provider has not decided"),
        Found::NeverHeard => Decided::Later("the provider has not heard of it yet"),
        Found::Unknown => Decided::Later("the provider does not say"),
    }
}

async fn call_off(app: &App, order: &Order) -> Decided {
    let voided = timeout(
        ASK_BUDGET,
        app.payments.void(AttemptId::new(order.attempt())),
    );
    match voided.await.unwrap_or(Voided::Unknown) {
        Voided::Voided => Decided::CalledOff,
        Voided::Captured {
            provider_ref,
            amount,
            ..
        } => Decided::Captured {
            provider_ref,
            amount,
        },
        Voided::Unknown | Voided::NotSent => Decided::Later("it could not be called off yet"),
    }
}
