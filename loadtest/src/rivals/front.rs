//! The front that all rivals share: takes a purchase, checks it, asks the way, answers; beside it, what a harness needs to
//! prepare a round and to count it. Called by `server` once per request.
//!
//! A purchase whose way takes too long is answered as unknown: its buyer repeats it under the same key.

use std::sync::atomic::{AtomicU64, Ordering};

use doorbuster_core::claims::TokenKeys;
use doorbuster_core::limits::UNITS_MAX;
use doorbuster_core::receipt::ReceiptKey;
use hyper::body::Incoming;
use hyper::{Method, Request};
use serde::Serialize;
use tokio::time::timeout;

use super::bare::Bare;
use super::refusal::Refusal;
use super::reply::{self, Reply};
use super::request;
use super::rival::{Name, Rival};
use super::way::{Bought, State, Trouble, Way};
use crate::limits::{RIVAL_ANSWER_TIMEOUT, RIVAL_UNIT_ROWS_MAX};
use crate::rush::say;

/// One rival with its front.
pub(crate) struct Front {
    pub(crate) name: Name,
    pub(crate) house: House,
    pub(crate) tokens: TokenKeys,
    pub(crate) receipts: ReceiptKey,
    pub(crate) requests: AtomicU64,
    /// What all its requests' names begin with.
    pub(crate) prefix: String,
}

/// What is behind the front.
pub(crate) enum House {
    Selling(Box<Rival>),
    Bare(Box<Bare>),
}

#[derive(Serialize)]
struct StateBody {
    way: &'static str,
    #[serde(flatten)]
    state: State,
}

#[derive(Serialize)]
struct Live {
    status: &'static str,
}

impl Front {
    /// Answers one request, whatever it is.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Reply {
        if let House::Bare(bare) = &self.house
            && request.uri().path().starts_with("/v1/")
        {
            let answer = bare.answer(request).await;
            return answer.unwrap_or_else(|refusal| reply::refused(&refusal, &self.prefix));
        }
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let request_id = format!("{}-{number:x}", self.prefix);
        let answer = self.dispatch(request).await;
        let mut reply = answer.unwrap_or_else(|refusal| reply::refused(&refusal, &request_id));
        reply::name(&mut reply, &request_id);
        reply
    }

    async fn dispatch(&self, request: Request<Incoming>) -> Result<Reply, Refusal> {
        let path = request.uri().path().to_owned();
        let is = |method: Method| {
            (request.method() == method)
                .then_some(())
                .ok_or(Refusal::Method)
        };
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        match parts[..] {
            ["v1", "sales", sale, "reservations"] => {
                is(Method::POST)?;
                self.sell(sale, request).await
            }
            ["livez"] => {
                is(Method::GET)?;
                Ok(reply::ok(&Live { status: "live" }))
            }
            ["reset"] => {
                is(Method::POST)?;
                let stock = self.stock(request.uri().query())?;
                self.reset(stock).await
            }
            ["state"] => {
                is(Method::GET)?;
                Ok(reply::ok(&self.state().await?))
            }
            _ => Err(Refusal::NotFound),
        }
    }

    async fn sell(&self, sale: &str, request: Request<Incoming>) -> Result<Reply, Refusal> {
        let House::Selling(rival) = &self.house else {
            return Err(Refusal::NotFound);
        };
        let order = request::order(&self.tokens, sale, request).await?;
        let bought = timeout(RIVAL_ANSWER_TIMEOUT, rival.buy(&order)).await;
        let bought = bought.map_err(|_| Refusal::Unavailable)?.map_err(told)?;
        let receipts = &self.receipts;
        match bought {
            Bought::Now(placed) => Ok(reply::created(receipts, &order, placed)),
            Bought::Before(placed) => Ok(reply::present(receipts, &order, placed)),
            Bought::OtherBody => Err(Refusal::IdempotencyMismatch),
            Bought::SoldOut => Err(Refusal::SoldOut(order.line.sku)),
            Bought::LimitReached => Err(Refusal::LimitReached(order.line.sku)),
        }
    }

    fn stock(&self, query: Option<&str>) -> Result<u32, Refusal> {
        let most = if self.name == Name::SkipLocked {
            RIVAL_UNIT_ROWS_MAX
        } else {
            UNITS_MAX
        };
        query
            .and_then(|query| query.strip_prefix("stock="))
            .and_then(|stock| stock.parse().ok())
            .filter(|stock| *stock <= most)
            .ok_or_else(|| Refusal::invalid(format!("POST /reset?stock=0 to {most}")))
    }

    async fn reset(&self, stock: u32) -> Result<Reply, Refusal> {
        if let House::Selling(rival) = &self.house {
            rival.reset(stock).await.map_err(told)?;
        }
        Ok(reply::ok(&self.state().await?))
    }

    async fn state(&self) -> Result<StateBody, Refusal> {
        let state = match &self.house {
            House::Selling(rival) => rival.state().await.map_err(told)?,
            House::Bare(_) => State::default(),
        };
        let way = self.name.as_str();
        Ok(StateBody { way, state })
    }
}

/// What the client is told of trouble, and what the log is.
fn told(trouble: Trouble) -> Refusal {
    if let Trouble::Store(_) = trouble {
        say(&trouble.to_string());
    }
    trouble.into()
}
