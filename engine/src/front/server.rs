//! Accepts connections, bounds them in number and time, and drains them.
//!
//! A connection past the cap is told so and closed: cheaper, for both sides, than a place in the kernel's backlog.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use doorbuster_core::crowds::Crowded;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use metrics::{counter, gauge};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::task::coop::unconstrained;
use tokio_util::sync::CancellationToken;

use super::answering::Answering;
use super::connections::{Connections, Silence};
use super::crowding::Crowding;
use super::linger::Lingering;
use super::{retry, route};
use crate::app::App;
use crate::limits::{
    ACCEPT_RETRY_PAUSE, ACCEPTS_AT_ONCE, CONNECTION_BUFFER_BYTES, DRAIN_REQUESTS, DRAIN_SILENCE,
    DRAIN_STEP, HEADER_TIMEOUT, HEADERS_MAX, LISTEN_BACKLOG, LISTEN_SOCKETS, REFUSALS_AT_ONCE,
    SILENCE_CHECK_EVERY,
};
use crate::metrics as names;
use crate::threads::Threads;

const FULL: &str = "{\"type\":\"about:blank\",\"title\":\"Too many connections\",\"status\":503,\"code\":\"overloaded\",\"detail\":\"Try again.\"}\n";

/// What a connection is told for which there is no place.
fn full() -> String {
    let after = retry::overload_s();
    let length = FULL.len();
    format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: {after}\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n{FULL}"
    )
}

/// Connections that are held open at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Most {
    pub(crate) connections: u32,
    /// 0: any number.
    pub(crate) per_address: u32,
}

/// Binds `address` with several sockets.
///
/// The kernel keeps a few thousand connections that wait to be accepted for a socket (`net.core.somaxconn`, 4,096 as it
/// comes), and drops the next: whoever is dropped tries again only after a second. Each of several sockets on one port has
/// a queue of its own, and each front thread accepts from one at least.
///
/// # Errors
/// Where the address is open or not ours.
pub(crate) fn bind(address: SocketAddr, threads: &Threads) -> std::io::Result<Vec<TcpListener>> {
    // Sockets that share a port share it with any process of ours; a second engine must find it open all the same, unless
    // both start within the same microseconds.
    let address = socket(address, Sharing::No)?.local_addr()?;
    (0..LISTEN_SOCKETS.max(threads.fronts()))
        .map(|number| {
            let _there = threads.front(number).enter();
            socket(address, Sharing::Yes)?.listen(LISTEN_BACKLOG)
        })
        .collect()
}

#[derive(PartialEq, Eq)]
enum Sharing {
    No,
    Yes,
}

fn socket(address: SocketAddr, sharing: Sharing) -> std::io::Result<TcpSocket> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(sharing == Sharing::Yes)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Serves until `stop`, then lets requests under way end, within a bound.
pub(crate) async fn serve(
    app: &'static App,
    threads: Arc<Threads>,
    listeners: Vec<TcpListener>,
    most: Most,
    stop: CancellationToken,
) {
    let door: &'static Door = Box::leak(Box::new(Door {
        app,
        threads,
        connections: Connections::default(),
        permits: Arc::new(Semaphore::new(most.connections as usize)),
        crowding: Crowding::new(most.per_address),
        refusals: Arc::new(Semaphore::new(REFUSALS_AT_ONCE)),
    }));
    let sweeping = tokio::spawn(close_the_silent(&door.connections));
    let mut accepting = JoinSet::new();
    for (number, listener) in listeners.into_iter().enumerate() {
        accepting.spawn_on(
            door.accept(listener, stop.clone()),
            door.threads.front(number),
        );
    }
    stop.cancelled().await;
    sweeping.abort();
    drain(&door.connections, accepting).await;
}

/// What all connections have in common.
struct Door {
    app: &'static App,
    threads: Arc<Threads>,
    connections: Connections,
    permits: Arc<Semaphore>,
    crowding: Crowding,
    refusals: Arc<Semaphore>,
}

impl Door {
    async fn accept(&'static self, listener: TcpListener, stop: CancellationToken) {
        // Many that wait at once, not one in turn with the requests of those let in before; but those have their turn too.
        let mut accepted_at_once = 0;
        while let Some(accepted) = stop
            .run_until_cancelled(unconstrained(listener.accept()))
            .await
        {
            match accepted {
                Ok((stream, peer)) => {
                    self.admit(stream, peer.ip());
                    accepted_at_once += 1;
                    if accepted_at_once == ACCEPTS_AT_ONCE {
                        accepted_at_once = 0;
                        tokio::task::yield_now().await;
                    }
                }
                Err(e) => {
                    // Out of file descriptors, most likely: give the kernel a moment instead of a spinning loop.
                    tracing::warn!(error = %e, "accept failed");
                    tokio::time::sleep(ACCEPT_RETRY_PAUSE).await;
                }
            }
        }
    }

    fn admit(&'static self, stream: TcpStream, peer: IpAddr) {
        let _ = stream.set_nodelay(true);
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return refuse(stream, &self.refusals, "connections");
        };
        match self.crowding.enter(peer, &self.app.proxies) {
            Ok(counted) => self.serve(stream, peer, (permit, counted)),
            Err(Crowded) => refuse(stream, &self.refusals, "connections_per_address"),
        }
    }

    /// Serves a connection, which has its places until it ends.
    fn serve(&'static self, stream: TcpStream, peer: IpAddr, places: impl Send + 'static) {
        let app = self.app;
        let (stream, seat) = match self.threads.seat(stream) {
            Ok(seated) => seated,
            Err(e) => return tracing::warn!(error = %e, "a connection could not be served"),
        };
        let silence = self.connections.opened();
        let number = silence.number();
        let at = Arc::clone(&silence);
        let service = service_fn(move |request| match Arc::clone(&at).busy() {
            Some(busy) => Answering::new(busy, route::answer(app, peer, request)),
            None => Answering::never(),
        });
        let connection = http1::Builder::new()
            .max_buf_size(CONNECTION_BUFFER_BYTES)
            .max_headers(HEADERS_MAX)
            .serve_connection(
                TokioIo::new(Lingering::new(stream, Some(Arc::clone(&silence)))),
                service,
            );
        let leaving = Leaving::new(&self.connections, silence);
        let thread = seat.thread();
        let task = thread.spawn(async move {
            let (_places, _leaving, _seat) = (places, leaving, seat);
            if let Err(e) = connection.await {
                tracing::trace!(error = %e, "a connection ended with an error");
            }
        });
        self.connections.served_by(number, task.abort_handle());
    }
}

/// Closes connections that have had no request for too long, as long as the server serves.
async fn close_the_silent(connections: &Connections) {
    loop {
        tokio::time::sleep(SILENCE_CHECK_EVERY).await;
        connections.close_silent(HEADER_TIMEOUT);
    }
}

/// Answers under way end, with their connections (see `route`); those without a request are closed, after a
/// moment for one that is on the wire.
async fn drain(connections: &Connections, accepting: JoinSet<()>) {
    let all_gone = async {
        accepting.join_all().await;
        while connections.close_silent(DRAIN_SILENCE) > 0 {
            tokio::time::sleep(DRAIN_STEP).await;
        }
    };
    if tokio::time::timeout(DRAIN_REQUESTS, all_gone)
        .await
        .is_err()
    {
        tracing::warn!("some requests did not end in time");
    }
}

/// Says that the connection is gone, however it ended.
struct Leaving {
    connections: &'static Connections,
    silence: Arc<Silence>,
}

impl Leaving {
    fn new(connections: &'static Connections, silence: Arc<Silence>) -> Self {
        gauge!(names::CONNECTIONS).increment(1.0);
        Self {
            connections,
            silence,
        }
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.connections.closed(&self.silence);
        gauge!(names::CONNECTIONS).decrement(1.0);
    }
}

fn refuse(stream: TcpStream, refusals: &Arc<Semaphore>, reason: &'static str) {
    counter!(names::SHED, "reason" => reason).increment(1);
    let Ok(permit) = Arc::clone(refusals).try_acquire_owned() else {
        return;
    };
    let mut stream = Lingering::new(stream, None);
    // Bounded: one small write into an empty socket buffer, and the linger.
    tokio::spawn(async move {
        let _permit = permit;
        if stream.write_all(full().as_bytes()).await.is_ok() {
            let _ = stream.shutdown().await;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_announces_its_own_length() {
        let text = full();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let announced = head
            .lines()
            .find_map(|l| l.strip_prefix("content-length: "))
            .unwrap();
        assert_eq!(announced.trim(), body.len().to_string());
    }
}
