//! Fires requests at one or several servers over a number of connections, at a pace. Latency counts from when a request was
//! due, not from when a free connection was found for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use doorbuster_core::clock;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use super::Buyers;
use crate::client::connection::{Connection, Then};
use crate::client::endpoint::Endpoint;
use crate::client::request::Requests;
use crate::history::Broken;
use crate::limits::{EXCHANGE_TIMEOUT, LOAD_CODE_BYTES_MAX, LOAD_OPENING_PAUSE};

/// When requests are due.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// Every connection sends its next request once it has its answer.
    AsAnswered,
    /// So many a second, evenly, whatever comes back.
    PerSecond(f64),
    /// All at the start.
    AtOnce,
}

/// What requests travel on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Opened beforehand, used again and again.
    KeptAlive,
    /// Opened for each request: the handshake counts.
    Fresh,
}

/// What to fire.
#[derive(Debug, Clone)]
pub struct Volley {
    /// Connections are dealt to them in turn. What a request asks for is dealt by its number, alike at every server.
    pub servers: Vec<(Endpoint, Vec<Requests>)>,
    pub buyers: Arc<Buyers>,
    pub pace: Pace,
    pub wire: Wire,
    pub connections: usize,
    /// Number of the first request, so that volleys at one sale can follow each other.
    pub first: u64,
    /// No more than so many, and none due after this time.
    pub requests_max: u64,
    pub lasting: Duration,
    /// None sent after this time, however long it has been due: who is too slow for the rest is not waited for.
    pub cut: Option<Duration>,
}

/// One request and what came of it. Times in µs since the start.
#[derive(Debug)]
pub struct Shot {
    pub request: u64,
    pub server: u16,
    pub due_us: u64,
    pub sent_us: u64,
    pub done_us: u64,
    pub heard: Heard,
}

/// What came back.
#[derive(Debug)]
pub enum Heard {
    /// 200 or 201, with the body.
    Accepted(u16, Box<[u8]>),
    /// Anything else, with the code of its problem body.
    Refused(u16, Box<str>),
    Broken(Broken),
}

/// All that was fired, in no order.
#[derive(Debug)]
pub struct Fired {
    pub shots: Vec<Shot>,
    /// Wall clock at the start.
    pub start_ms: u64,
    pub start: Instant,
    /// From the start to the last answer.
    pub elapsed: Duration,
}

impl Fired {
    pub fn accepted(&self) -> u64 {
        self.count(|shot| matches!(shot.heard, Heard::Accepted(..)))
    }

    /// Acceptances a second.
    pub fn rate(&self) -> f64 {
        self.rate_of(|shot| matches!(shot.heard, Heard::Accepted(..)))
    }

    /// Answers a second of those that `which` picks.
    pub fn rate_of(&self, which: impl Fn(&Shot) -> bool) -> f64 {
        self.count(which) as f64 / self.elapsed.as_secs_f64()
    }

    pub fn answered(&self) -> u64 {
        self.count(|shot| !matches!(shot.heard, Heard::Broken(_)))
    }

    pub fn broken(&self) -> u64 {
        self.shots.len() as u64 - self.answered()
    }

    /// Refusals with this code.
    pub fn refused(&self, code: &str) -> u64 {
        self.count(|shot| matches!(&shot.heard, Heard::Refused(_, found) if &**found == code))
    }

    /// Parted as requests for so many things were dealt.
    pub fn dealt(self, things: usize) -> Vec<Fired> {
        let Fired {
            shots,
            start_ms,
            start,
            elapsed,
        } = self;
        let part = |_| Fired {
            shots: Vec::new(),
            start_ms,
            start,
            elapsed,
        };
        let mut parts: Vec<Fired> = (0..things).map(part).collect();
        for shot in shots {
            parts[(shot.request % things as u64) as usize]
                .shots
                .push(shot);
        }
        parts
    }

    fn count(&self, which: impl Fn(&Shot) -> bool) -> u64 {
        self.shots.iter().filter(|shot| which(shot)).count() as u64
    }

    /// From due to answered, in µs, of those that `which` picks.
    pub fn latency(&self, which: impl Fn(&Shot) -> bool) -> Histogram<u64> {
        let mut histogram = Histogram::new_with_bounds(1, 3_600_000_000, 3).expect("three digits");
        for shot in self.shots.iter().filter(|shot| which(shot)) {
            histogram.saturating_record(shot.done_us.saturating_sub(shot.due_us));
        }
        histogram
    }

    /// When the last answer that `which` picks came, since the start.
    pub fn last(&self, which: impl Fn(&Shot) -> bool) -> Duration {
        let picked = self.shots.iter().filter(|shot| which(shot));
        Duration::from_micros(picked.map(|shot| shot.done_us).max().unwrap_or(0))
    }
}

/// Fires, and waits for every answer within the bound of one exchange.
///
/// # Errors
/// If a server cannot be reached at all, or a client panics.
pub async fn fire(volley: Volley) -> Result<Fired> {
    let mut ready = Vec::with_capacity(volley.connections);
    for number in 0..volley.connections {
        let connection = match volley.wire {
            Wire::Fresh => None,
            Wire::KeptAlive => {
                let (endpoint, _) = &volley.servers[number % volley.servers.len()];
                Some(open(endpoint).await?)
            }
        };
        ready.push(connection);
    }
    let volley = Arc::new(volley);
    let next = Arc::new(AtomicU64::new(0));
    let start = clock::instant();
    let start_ms = clock::now_ms();
    let mut workers = JoinSet::new();
    for (number, connection) in ready.into_iter().enumerate() {
        let worker = Worker {
            volley: Arc::clone(&volley),
            next: Arc::clone(&next),
            server: number % volley.servers.len(),
            start,
            connection,
        };
        workers.spawn(worker.work());
    }
    let mut shots = Vec::new();
    while let Some(done) = workers.join_next().await {
        shots.append(&mut done.context("a client panicked")?);
    }
    let mut fired = Fired {
        shots,
        start_ms,
        start,
        elapsed: Duration::ZERO,
    };
    fired.elapsed = fired.last(|_| true);
    Ok(fired)
}

async fn open(endpoint: &Endpoint) -> Result<Connection> {
    // A full backlog of the server is no failure of what is measured afterwards.
    for _ in 0..3 {
        if let Ok(connection) = Connection::open(endpoint.address).await {
            return Ok(connection);
        }
        tokio::time::sleep(LOAD_OPENING_PAUSE).await;
    }
    anyhow::bail!("no connection to {}", endpoint.host)
}

/// One connection's part.
struct Worker {
    volley: Arc<Volley>,
    next: Arc<AtomicU64>,
    server: usize,
    start: Instant,
    connection: Option<Connection>,
}

impl Worker {
    async fn work(mut self) -> Vec<Shot> {
        let mut shots = Vec::new();
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let due = match self.volley.pace {
                Pace::AsAnswered => self.start.elapsed(),
                Pace::PerSecond(rate) => Duration::from_secs_f64(number as f64 / rate),
                Pace::AtOnce => Duration::ZERO,
            };
            if number >= self.volley.requests_max || due > self.volley.lasting || self.is_cut() {
                return shots;
            }
            if due > self.start.elapsed() {
                sleep_until((self.start + due).into()).await;
            }
            let request = self.volley.buyers.request(self.volley.first + number);
            let sent = self.start.elapsed();
            let heard = match self.ask(request, sent).await {
                Ok(heard) => heard,
                Err(broken) => {
                    self.connection = None;
                    Heard::Broken(broken)
                }
            };
            shots.push(Shot {
                request,
                server: self.server as u16,
                due_us: due.as_micros() as u64,
                sent_us: sent.as_micros() as u64,
                done_us: self.start.elapsed().as_micros() as u64,
                heard,
            });
        }
    }

    fn is_cut(&self) -> bool {
        let cut = self.volley.cut;
        cut.is_some_and(|cut| self.start.elapsed() > cut)
    }

    async fn ask(&mut self, request: u64, sent: Duration) -> Result<Heard, Broken> {
        let (endpoint, asks) = &self.volley.servers[self.server];
        let requests = &asks[(request % asks.len() as u64) as usize];
        let buyers = &self.volley.buyers;
        let bytes = requests.shot(request, buyers.token(request), &buyers.key(request));
        let deadline = self.start + sent + EXCHANGE_TIMEOUT;
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(endpoint.address).await?,
        };
        let exchange = async {
            connection.send(&bytes).await?;
            let response = connection.receive().await?;
            let heard = match response.status {
                200 | 201 => Heard::Accepted(response.status, response.body.into()),
                status => Heard::Refused(status, code(response.body).into()),
            };
            Ok((heard, response.then))
        };
        let (heard, then) = tokio::time::timeout_at(deadline.into(), exchange)
            .await
            .unwrap_or(Err(Broken::Timeout))?;
        if then == Then::Reuse && self.volley.wire == Wire::KeptAlive {
            self.connection = Some(connection);
        }
        Ok(heard)
    }
}

/// The value of `"code"` in a problem body: found, not parsed, because the clock is running.
fn code(body: &[u8]) -> &str {
    const NAME: &[u8] = b"\"code\":\"";
    let found = body.windows(NAME.len()).position(|part| part == NAME);
    let rest = found.map_or(&[][..], |at| &body[at + NAME.len()..]);
    let end = rest
        .iter()
        .take(LOAD_CODE_BYTES_MAX)
        .position(|byte| *byte == b'"');
    end.and_then(|end| std::str::from_utf8(&rest[..end]).ok())
        .unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_found_in_a_problem_body() {
        assert_eq!(
            code(br#"{"type":"x","code":"sold_out","left":0}"#),
            "sold_out"
        );
        for none in [&b"{}"[..], b"", br#"{"code":7}"#, br#"{"code":"sold"#] {
            assert_eq!(code(none), "");
        }
    }
}
