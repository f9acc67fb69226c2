//! Many requests of one kind, as fast as the engines answer, each asked again while it is only put off. Called by `forge`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::client::connection::{Connection, Then};
use crate::client::endpoint::Endpoint;
use crate::history::Broken;
use crate::limits::{BACKOFF_MAX, EXCHANGE_TIMEOUT, FORGE_CONNECTIONS, TRIES_MAX};

/// What came back in the end; status 0 where nothing did.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// The bytes of request `number` to engine `engine`.
type Make = dyn Fn(usize, usize) -> Vec<u8> + Send + Sync;

/// What is asked for.
pub(super) struct Salvo {
    make: Box<Make>,
    /// Whether the answer to request `number` stands, whatever it is; one that puts off is asked for again.
    is_settled: Box<Settles>,
}

type Settles = dyn Fn(usize, u16) -> bool + Send + Sync;

impl Salvo {
    /// Until it is neither put off nor failed.
    pub(super) fn new(make: impl Fn(usize, usize) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self {
            make: Box::new(make),
            is_settled: Box::new(|_, status| status != 429 && status < 500),
        }
    }

    /// An answer of 429 stands too, of requests that `may` be.
    pub(super) fn or_put_off(
        mut self,
        may: impl Fn(usize) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.is_settled =
            Box::new(move |number, status| (status != 429 || may(number)) && status < 500);
        self
    }
}

/// Asks for each of `count`; returns the answers in their order.
///
/// # Errors
/// If a client panics.
pub(super) async fn ask_all(engines: &[Endpoint], count: usize, salvo: Salvo) -> Result<Vec<Said>> {
    let salvo = Arc::new(salvo);
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for number in 0..FORGE_CONNECTIONS.min(count) {
        let engine = number % engines.len();
        let worker = Worker {
            address: engines[engine].clone(),
            engine,
            connection: None,
        };
        workers.spawn(worker.work(count, Arc::clone(&salvo), Arc::clone(&next)));
    }
    let mut said = vec![Said::default(); count];
    while let Some(done) = workers.join_next().await {
        for (number, answer) in done.context("a client panicked")? {
            said[number] = answer;
        }
    }
    Ok(said)
}

struct Worker {
    address: Endpoint,
    engine: usize,
    connection: Option<Connection>,
}

impl Worker {
    async fn work(
        mut self,
        count: usize,
        salvo: Arc<Salvo>,
        next: Arc<AtomicUsize>,
    ) -> Vec<(usize, Said)> {
        let mut said = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return said;
            }
            let bytes = (salvo.make)(number, self.engine);
            said.push((
                number,
                self.until_settled(&bytes, |status| (salvo.is_settled)(number, status))
                    .await,
            ));
        }
    }

    async fn until_settled(&mut self, bytes: &[u8], settles: impl Fn(u16) -> bool) -> Said {
        for tries in 1..=TRIES_MAX {
            match timeout(EXCHANGE_TIMEOUT, self.ask(bytes)).await {
                Ok(Ok(said)) if settles(said.status) => return said,
                _ => sleep(BACKOFF_MAX.min(Duration::from_millis(10) * tries)).await,
            }
        }
        Said::default()
    }

    async fn ask(&mut self, bytes: &[u8]) -> Result<Said, Broken> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.address.address).await?,
        };
        connection.send(bytes).await?;
        let response = connection.receive().await?;
        let (then, said) = (
            response.then,
            Said {
                status: response.status,
                body: response.body.to_vec(),
            },
        );
        if then == Then::Reuse {
            self.connection = Some(connection);
        }
        Ok(said)
    }
}
