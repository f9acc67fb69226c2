//! Accepts the connections of a rival, bounded in number and time. Runs until the process is stopped.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, Result};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::front::Front;
use crate::limits::{
    RIVAL_ACCEPT_PAUSE, RIVAL_CONNECTION_BUFFER_BYTES, RIVAL_CONNECTIONS_MAX, RIVAL_HEADERS_MAX,
    RIVAL_LISTEN_BACKLOG, RIVAL_LISTEN_SOCKETS,
};

/// On this machine alone: whoever reaches it may reset it. Several sockets, as our engine has, because the kernel drops
/// connections that find the queue of theirs full.
pub(crate) fn bind(port: u16) -> Result<Vec<TcpListener>> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let bound = |address| {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.set_reuseport(true)?;
        socket.bind(address)?;
        socket.listen(RIVAL_LISTEN_BACKLOG)
    };
    let all = || {
        let first = bound(address)?;
        let address = first.local_addr()?;
        let more = (1..RIVAL_LISTEN_SOCKETS).map(|_| bound(address));
        std::iter::once(Ok(first)).chain(more).collect()
    };
    let listeners: std::io::Result<Vec<TcpListener>> = all();
    listeners.with_context(|| format!("--listen-port: {address} cannot be listened on"))
}

pub(crate) async fn serve(front: Arc<Front>, listeners: Vec<TcpListener>) {
    let permits = Arc::new(Semaphore::new(RIVAL_CONNECTIONS_MAX));
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept(Arc::clone(&front), listener, Arc::clone(&permits)));
    }
    accepting.join_all().await;
}

async fn accept(front: Arc<Front>, listener: TcpListener, permits: Arc<Semaphore>) {
    loop {
        // One more than there is room for waits in the kernel's backlog.
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                serve_connection(Arc::clone(&front), stream, permit);
            }
            // Out of file descriptors, most likely: give the kernel a moment instead of a spinning loop.
            Err(_) => tokio::time::sleep(RIVAL_ACCEPT_PAUSE).await,
        }
    }
}

/// Slow heads are not timed out: a timer for each request costs what our engine spares itself by looking at all connections
/// together, and nobody but the load test ever connects.
fn serve_connection(front: Arc<Front>, stream: TcpStream, permit: OwnedSemaphorePermit) {
    let mut builder = http1::Builder::new();
    builder
        .max_buf_size(RIVAL_CONNECTION_BUFFER_BYTES)
        .max_headers(RIVAL_HEADERS_MAX)
        // Head and body in one write, as our engine has it for all but its largest answers.
        .writev(false);
    let service = service_fn(move |request| {
        let front = Arc::clone(&front);
        async move { Ok::<_, Infallible>(front.answer(request).await) }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::spawn(async move {
        let _permit = permit;
        // A connection that breaks is its client's to notice.
        let _ = connection.await;
    });
}
