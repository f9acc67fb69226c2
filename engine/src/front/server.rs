//! Accepts connections, bounds them in number and time, and drains them.
//!
//! A connection past the cap is told so and closed: cheaper, for both sides, than a place in the kernel's backlog.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use metrics::{counter, gauge};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::linger::Lingering;
use super::route;
use crate::app::App;
use crate::limits::{
    CONNECTION_BUFFER_BYTES, DRAIN_REQUESTS, HEADER_TIMEOUT, HEADERS_MAX, LISTEN_BACKLOG,
    REFUSALS_AT_ONCE,
};
use crate::metrics as names;

const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 2\r\nconnection: close\r\n\
content-length: 109\r\n\r\n{\"type\":\"about:blank\",\"title\":\"Too many connections\",\"status\":503,\"code\":\"overloaded\",\"detail\":\"Try again.\"}\n";

/// Binds `address`.
///
/// # Errors
/// Where the address is taken or not ours.
pub(crate) fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(LISTEN_BACKLOG)
}

/// Serves until `stop`, then lets requests under way end, within a bound.
pub(crate) async fn serve(
    app: Arc<App>,
    listener: TcpListener,
    connections_max: u32,
    stop: CancellationToken,
) {
    let permits = Arc::new(Semaphore::new(connections_max as usize));
    let refusals = Arc::new(Semaphore::new(REFUSALS_AT_ONCE));
    let graceful = GracefulShutdown::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(e) => {
                // Out of file descriptors, most likely: give the kernel a moment instead of a spinning loop.
                tracing::warn!(error = %e, "accept failed");
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        match Arc::clone(&permits).try_acquire_owned() {
            Ok(permit) => serve_connection(Arc::clone(&app), stream, permit, &graceful),
            Err(_) => refuse(stream, &refusals),
        }
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_REQUESTS, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests did not end in time");
    }
}

fn serve_connection(
    app: Arc<App>,
    stream: TcpStream,
    permit: OwnedSemaphorePermit,
    graceful: &GracefulShutdown,
) {
    let service = service_fn(move |request| {
        let app = Arc::clone(&app);
        async move { Ok::<_, std::convert::Infallible>(route::answer(&app, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(CONNECTION_BUFFER_BYTES)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(Lingering::new(stream)), service);
    let watched = graceful.watch(connection);
    tokio::spawn(async move {
        let _permit = permit;
        gauge!(names::CONNECTIONS).increment(1.0);
        if let Err(e) = watched.await {
            tracing::trace!(error = %e, "a connection ended with an error");
        }
        gauge!(names::CONNECTIONS).decrement(1.0);
    });
}

fn refuse(stream: TcpStream, refusals: &Arc<Semaphore>) {
    counter!(names::SHED, "reason" => "connections").increment(1);
    let Ok(permit) = Arc::clone(refusals).try_acquire_owned() else {
        return;
    };
    let mut stream = Lingering::new(stream);
    // Bounded: one small write into an empty socket buffer, and the linger.
    tokio::spawn(async move {
        let _permit = permit;
        if stream.write_all(FULL).await.is_ok() {
            let _ = stream.shutdown().await;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_announces_its_own_length() {
        let text = std::str::from_utf8(FULL).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let announced = head
            .lines()
            .find_map(|l| l.strip_prefix("content-length: "))
            .unwrap();
        assert_eq!(announced.trim(), body.len().to_string());
    }
}
