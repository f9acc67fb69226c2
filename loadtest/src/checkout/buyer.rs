//! One buyer at the till: places an order under one key until there is an answer, and then looks until the order has come to an end.

use std::time::Duration;

use doorbuster_core::ids::ReservationId;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde::Deserialize;
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::{Purchase, Till};
use crate::client::course::Market;
use crate::crowd::{Behaviour, Errand};
use crate::history::Broken;
use crate::limits::{
    BACKOFF_MAX, BACKOFF_MIN, CHECKOUT_LOOK_FIRST, CHECKOUT_LOOK_MAX, CHECKOUT_PATIENCE,
    EXCHANGE_TIMEOUT, RETRY_AFTER_DEFAULT, TRIES_MAX,
};

/// The method and what stands for the card: the sandbox does with it what its script says.
const METHOD: &str = "card";
const TOKEN: &str = "tok_ok";

/// What an order's page says, as far as a buyer cares.
#[derive(Deserialize)]
struct OrderView {
    id: String,
    state: String,
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Deserialize)]
struct Problem {
    code: String,
}

/// What one exchange came to.
enum Heard {
    Order(OrderView),
    /// For good.
    Refused(String),
    Later(Duration),
}

/// A buyer with its hold.
#[derive(Debug)]
pub struct Holder<'a> {
    pub market: &'a Market,
    pub errand: &'a Errand,
    pub token: &'a str,
    pub hold: ReservationId,
}

impl Till {
    /// Orders what is held, and waits for the end of it.
    pub async fn pay(&self, holder: &Holder<'_>) -> Purchase {
        let Holder { market, errand, .. } = holder;
        let mut rng = SmallRng::seed_from_u64(errand.seed.rotate_left(17));
        if errand.behaviour == Behaviour::Cancel {
            return self.change_mind(holder, &mut rng).await;
        }
        let mut purchase = Purchase {
            key: self.key(&errand.key),
            began_us: market.now_us(),
            ..Purchase::default()
        };
        let place = self.place(holder, &purchase.key);
        if errand.behaviour == Behaviour::LoseAnswer {
            // It is on its way, and nobody will hear what it came to.
            purchase.sent += 1;
            self.lose(errand.engine, &place).await;
        }
        self.until_ended(&mut purchase, holder, &place, &mut rng)
            .await;
        if errand.behaviour == Behaviour::Retry && purchase.order.is_some() {
            self.again(&mut purchase, errand.engine + 1, &place).await;
        }
        purchase
    }

    /// Orders what is held until somebody has heard it, and does not wait for the end of it.
    pub async fn place_only(&self, holder: &Holder<'_>) -> Purchase {
        let market = holder.market;
        let mut purchase = Purchase {
            key: self.key(&holder.errand.key),
            began_us: market.now_us(),
            ..Purchase::default()
        };
        let place = self.place(holder, &purchase.key);
        for at in 0..TRIES_MAX as usize {
            purchase.sent += 1;
            match self.exchange(holder.errand.engine + at, &place).await {
                Ok(Heard::Order(order)) => {
                    purchase.told(order);
                    return purchase;
                }
                Ok(Heard::Refused(code)) => {
                    purchase.reason = Some(code);
                    return purchase;
                }
                Ok(Heard::Later(pause)) => sleep(pause).await,
                Err(_) => sleep(BACKOFF_MIN).await,
            }
        }
        purchase
    }

    /// Sends the `first` request until it is answered, and then looks until the end.
    async fn until_ended(
        &self,
        purchase: &mut Purchase,
        holder: &Holder<'_>,
        first: &[u8],
        rng: &mut SmallRng,
    ) {
        let (market, mut is_heard) = (holder.market, false);
        let patience_us = u64::try_from(CHECKOUT_PATIENCE.as_micros()).unwrap_or(u64::MAX);
        let (mut at, mut look, mut backoff) =
            (holder.errand.engine, CHECKOUT_LOOK_FIRST, BACKOFF_MIN);
        while market.now_us().saturating_sub(purchase.began_us) < patience_us {
            let request = match &purchase.order {
                Some(order) if is_heard => self.look(at, order, holder.token),
                _ => first.to_vec(),
            };
            purchase.sent += 1;
            let pause = match self.exchange(at, &request).await {
                Ok(Heard::Order(order)) => {
                    is_heard = true;
                    purchase.told(order);
                    if purchase.has_ended() {
                        purchase.ended_us = Some(market.now_us());
                        return;
                    }
                    look = (look * 2).min(CHECKOUT_LOOK_MAX);
                    look
                }
                Ok(Heard::Refused(code)) => {
                    purchase.reason = Some(code);
                    purchase.ended_us = Some(market.now_us());
                    return;
                }
                Ok(Heard::Later(pause)) => pause,
                Err(_) => {
                    // Whoever heard nothing tries his luck elsewhere.
                    at += 1;
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                    backoff
                }
            };
            sleep(pause.mul_f64(rng.random_range(0.7..1.3))).await;
        }
    }

    /// Orders, and wants it cancelled as soon as it is told of it: in the midst of the charge, or after it.
    async fn change_mind(&self, holder: &Holder<'_>, rng: &mut SmallRng) -> Purchase {
        let mut purchase = self.place_only(holder).await;
        if purchase.order.is_some() && !purchase.has_failed() {
            self.cancel(&mut purchase, holder, rng).await;
        } else {
            purchase.ended_us = Some(holder.market.now_us());
        }
        purchase
    }

    /// Says so until somebody has heard it, and waits for the money to come back.
    async fn cancel(&self, purchase: &mut Purchase, holder: &Holder<'_>, rng: &mut SmallRng) {
        let Some(order) = purchase.order.clone() else {
            return;
        };
        (purchase.cancelled, purchase.ended_us) = (true, None);
        let (host, token) = (&self.hosts[0], holder.token);
        let request = format!(
            "POST /v1/orders/{order}/cancel HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nContent-Length: 0\r\n\r\n"
        );
        self.until_ended(purchase, holder, request.as_bytes(), rng)
            .await;
    }

    /// The same once more, after the end.
    async fn again(&self, purchase: &mut Purchase, at: usize, place: &[u8]) {
        purchase.sent += 1;
        if let Ok(Heard::Order(order)) = self.exchange(at, place).await
            && Some(&order.id) != purchase.order.as_ref()
        {
            purchase.other_order = Some(order.id);
        }
    }

    fn place(&self, holder: &Holder<'_>, key: &str) -> Vec<u8> {
        let body = json!({
            "sale": self.sale,
            "reservation": holder.hold.to_string(),
            "payment": {"method": METHOD, "token": TOKEN},
        })
        .to_string();
        let (host, token, length) = (&self.hosts[0], holder.token, body.len());
        format!(
            "POST /v1/orders HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: {key}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }

    fn look(&self, at: usize, order: &str, token: &str) -> Vec<u8> {
        let host = &self.hosts[at % self.hosts.len()];
        format!("GET /v1/orders/{order} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n").into_bytes()
    }

    async fn lose(&self, at: usize, request: &[u8]) {
        let pool = &self.pools[at % self.pools.len()];
        if let Ok(mut lease) = pool.take().await {
            // The lease is dropped, and its connection with it.
            let _ = lease.connection.send(request).await;
        }
    }

    async fn exchange(&self, at: usize, request: &[u8]) -> Result<Heard, Broken> {
        let pool = &self.pools[at % self.pools.len()];
        let mut lease = pool.take().await?;
        let talk = async {
            lease.connection.send(request).await?;
            let response = lease.connection.receive().await?;
            let heard = heard(response.status, response.retry_after_s, response.body)?;
            Ok((heard, response.then))
        };
        let (heard, then) = timeout(EXCHANGE_TIMEOUT, talk)
            .await
            .map_err(|_| Broken::Timeout)??;
        lease.end(then);
        Ok(heard)
    }
}

impl Purchase {
    fn has_failed(&self) -> bool {
        matches!(self.state.as_deref(), Some("cancelled" | "refunded"))
    }

    fn told(&mut self, order: OrderView) {
        match &self.order {
            Some(known) if *known != order.id => self.other_order = Some(order.id),
            _ => self.order = Some(order.id),
        }
        self.state = Some(order.state);
        self.reason = order.reason;
    }
}

fn heard(status: u16, retry_after_s: Option<u32>, body: &[u8]) -> Result<Heard, Broken> {
    match status {
        200 | 201 => serde_json::from_slice(body)
            .map(Heard::Order)
            .map_err(|_| Broken::Garbled),
        429 | 500.. => Ok(Heard::Later(
            retry_after_s.map_or(RETRY_AFTER_DEFAULT, |seconds| {
                Duration::from_secs(seconds.into())
            }),
        )),
        _ => {
            let code = serde_json::from_slice(body).map(|problem: Problem| problem.code);
            Ok(Heard::Refused(
                code.unwrap_or_else(|_| format!("status_{status}")),
            ))
        }
    }
}
