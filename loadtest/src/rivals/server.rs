//! Accepts the connections of a rival, bounded in number and time. Runs until the process is stopped.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::front::Front;
use crate::limits::{
    RIVAL_CONNECTION_BUFFER_BYTES, RIVAL_CONNECTIONS_MAX, RIVAL_HEADER_TIMEOUT, RIVAL_HEADERS_MAX,
    RIVAL_LISTEN_BACKLOG,
};

/// On this machine alone: whoever reaches it may reset it.
pub(crate) fn bind(port: u16) -> Result<TcpListener> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let bound = || {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(RIVAL_LISTEN_BACKLOG)
    };
    bound().with_context(|| format!("--listen-port: {address} cannot be listened on"))
}

pub(crate) async fn serve(front: Arc<Front>, listener: TcpListener) {
    let permits = Arc::new(Semaphore::new(RIVAL_CONNECTIONS_MAX));
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
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

fn serve_connection(front: Arc<Front>, stream: TcpStream, permit: OwnedSemaphorePermit) {
    let mut builder = http1::Builder::new();
    builder
        .max_buf_size(RIVAL_CONNECTION_BUFFER_BYTES)
        .max_headers(RIVAL_HEADERS_MAX);
    if front.is_timed() {
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(RIVAL_HEADER_TIMEOUT);
    }
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
