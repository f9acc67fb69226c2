//! A slow wire to Redis: hands on what it reads only after a delay, in order, without a bound of its own on the rate.
//!
//! It runs on a thread of its own, so that it does not share the client's.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use doorbuster_core::clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep_until;

use crate::limits::PROXY_CHUNKS_MAX;

const CHUNK_BYTES: usize = 64 * 1024;

/// Forwards until it is dropped.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl Proxy {
    /// In front of `to`; what goes there takes `delay` longer, what comes back does not.
    pub(super) fn start(to: SocketAddr, delay: Duration) -> Result<Self> {
        let listener =
            std::net::TcpListener::bind("127.0.0.1:0").context("a port for the proxy")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        thread::Builder::new().name("proxy".into()).spawn(move || {
            runtime.block_on(async move {
                let Ok(listener) = TcpListener::from_std(listener) else {
                    return;
                };
                tokio::select! {
                    _ = stopped => {}
                    () = forward_all(listener, to, delay) => {}
                }
            });
        })?;
        Ok(Self {
            address,
            _stop: stop,
        })
    }
}

async fn forward_all(listener: TcpListener, to: SocketAddr, delay: Duration) {
    while let Ok((near, _)) = listener.accept().await {
        tokio::spawn(async move {
            let Ok(far) = TcpStream::connect(to).await else {
                return;
            };
            let _ = (near.set_nodelay(true), far.set_nodelay(true));
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            // An end that has nothing more to say closes its half, and the other end does the same.
            tokio::join!(
                forward(near_in, far_out, delay),
                forward(far_in, near_out, Duration::ZERO)
            );
        });
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: Duration) {
    let (sender, mut chunks) = mpsc::channel::<(Instant, Vec<u8>)>(PROXY_CHUNKS_MAX);
    let reading = async move {
        loop {
            let mut chunk = Vec::with_capacity(CHUNK_BYTES);
            match from.read_buf(&mut chunk).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {
                    if sender
                        .send((clock::instant() + delay, chunk))
                        .await
                        .is_err()
                    {
                        return;
                    }
                }
            }
        }
    };
    let writing = async {
        while let Some((due, chunk)) = chunks.recv().await {
            sleep_until(due.into()).await;
            if to.write_all(&chunk).await.is_err() {
                return;
            }
        }
    };
    // The writer ends once it has written all that was read.
    tokio::join!(reading, writing);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_goes_there_is_late_and_whole_and_what_comes_back_is_not() {
        let echo = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let delay = Duration::from_millis(60);
        let proxy = Proxy::start(echo.local_addr().unwrap(), delay).unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = echo.accept().await.unwrap();
            let mut bytes = [0; 3];
            stream.read_exact(&mut bytes).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
        });
        let began = clock::instant();
        let mut stream = TcpStream::connect(proxy.address).await.unwrap();
        stream.write_all(b"abc").await.unwrap();
        let mut bytes = [0; 3];
        stream.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"abc");
        assert!((delay..2 * delay + Duration::from_secs(1)).contains(&began.elapsed()));
    }
}
