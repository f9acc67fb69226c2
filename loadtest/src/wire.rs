//! A wire between two programs that can be slow or broken: a TCP proxy with toxics that change while it runs.
//!
//! Called by `knee`, whose way to Redis is slow, and by `drill`, which has one between every pair of programs. Whatever it hands
//! on is in order and whole. It runs on a thread of its own, so that it does not share the client's.

use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use doorbuster_core::clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, sleep_until};

use crate::limits::{PROXY_CHUNKS_MAX, WIRE_RETRY_PAUSE};

const CHUNK_BYTES: usize = 64 * 1024;

/// What is wrong with a wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Toxic {
    Nothing,
    /// What goes there takes so much longer; what comes back does not.
    Slow(Duration),
    /// Every connection is reset, and every new one.
    Refuse,
    /// Every connection that is there now is reset; new ones are whole.
    Reset,
    /// Nobody hears anything, and no connection ends: half open. What was sent meanwhile arrives afterwards.
    BlackHole,
    /// A byte at a time, both ways.
    Dribble,
    /// What comes back is lost: it was done, and nobody hears of it. Afterwards such a connection is reset.
    DropReplies,
}

/// Forwards until it is dropped.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    toxic: watch::Sender<Toxic>,
    to: watch::Sender<SocketAddr>,
    _stop: oneshot::Sender<()>,
}

impl Wire {
    /// In front of `to`.
    pub(crate) fn start(to: SocketAddr, toxic: Toxic) -> Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").context("a port for a wire")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let (toxic, told) = watch::channel(toxic);
        let (to, led) = watch::channel(to);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        thread::Builder::new().name("wire".into()).spawn(move || {
            runtime.block_on(async move {
                let Ok(listener) = TcpListener::from_std(listener) else {
                    return;
                };
                tokio::select! {
                    _ = stopped => {}
                    () = forward_all(listener, led, told) => {}
                }
            });
        })?;
        Ok(Self {
            address,
            toxic,
            to,
            _stop: stop,
        })
    }

    /// Makes it so from now on.
    pub(crate) fn set(&self, toxic: Toxic) {
        self.toxic.send_replace(toxic);
    }

    /// New connections go there from now on; those that are there now stay.
    pub(crate) fn lead(&self, to: SocketAddr) {
        self.to.send_replace(to);
    }

    pub(crate) fn heal(&self) {
        self.set(Toxic::Nothing);
    }
}

async fn forward_all(
    listener: TcpListener,
    to: watch::Receiver<SocketAddr>,
    toxic: watch::Receiver<Toxic>,
) {
    loop {
        match listener.accept().await {
            Ok((near, _)) => drop(tokio::spawn(connect(near, to.clone(), toxic.clone()))),
            // Out of file descriptors, most likely.
            Err(_) => sleep(WIRE_RETRY_PAUSE).await,
        }
    }
}

async fn connect(
    near: TcpStream,
    to: watch::Receiver<SocketAddr>,
    mut toxic: watch::Receiver<Toxic>,
) {
    loop {
        match *toxic.borrow_and_update() {
            Toxic::Refuse => {
                let _ = near.set_zero_linger();
                return;
            }
            Toxic::BlackHole => {}
            _ => break,
        }
        if toxic.changed().await.is_err() {
            return;
        }
    }
    // Not the toxic that is there already: only one that comes.
    let cut = toxic.clone();
    let to = *to.borrow();
    let far = match TcpStream::connect(to).await {
        Ok(far) => far,
        Err(_) => {
            let _ = near.set_zero_linger();
            return;
        }
    };
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let ends = [&near, &far].map(|end| end.as_fd().try_clone_to_owned());
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    // An end that has nothing more to say closes its half, and the other end does the same.
    let there = forward(near_in, far_out, Way::There, toxic.clone());
    let back = forward(far_in, near_out, Way::Back, toxic);
    let both = async { tokio::join!(there, back) };
    let is_cut = tokio::select! {
        _ = both => false,
        () = cut_off(cut) => true,
    };
    if is_cut {
        ends.into_iter().flatten().for_each(reset);
    }
}

/// The last handle of a connection goes, and with it the connection, with a reset instead of a farewell.
fn reset(end: OwnedFd) {
    if let Ok(stream) = TcpStream::from_std(end.into()) {
        let _ = stream.set_zero_linger();
    }
}

/// Returns when a toxic comes that ends connections.
async fn cut_off(mut toxic: watch::Receiver<Toxic>) {
    let mut lost_replies = *toxic.borrow() == Toxic::DropReplies;
    while toxic.changed().await.is_ok() {
        match *toxic.borrow_and_update() {
            Toxic::Refuse | Toxic::Reset => return,
            Toxic::DropReplies => lost_replies = true,
            // A stream of bytes with a hole in it is none.
            _ if lost_replies => return,
            _ => {}
        }
    }
    std::future::pending().await
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    There,
    Back,
}

async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    way: Way,
    mut toxic: watch::Receiver<Toxic>,
) {
    let (sender, mut chunks) = mpsc::channel::<(Instant, Vec<u8>)>(PROXY_CHUNKS_MAX);
    let told = toxic.clone();
    let reading = async move {
        loop {
            let mut chunk = Vec::with_capacity(CHUNK_BYTES);
            match from.read_buf(&mut chunk).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {
                    let delay = match *told.borrow() {
                        Toxic::Slow(delay) if way == Way::There => delay,
                        _ => Duration::ZERO,
                    };
                    let due = clock::instant() + delay;
                    if sender.send((due, chunk)).await.is_err() {
                        return;
                    }
                }
            }
        }
    };
    let writing = async {
        while let Some((due, chunk)) = chunks.recv().await {
            if due > clock::instant() {
                sleep_until(due.into()).await;
            }
            if hand_on(&mut to, &chunk, way, &mut toxic).await.is_err() {
                return;
            }
        }
    };
    // The writer ends once it has written all that was read.
    tokio::join!(reading, writing);
}

async fn hand_on(
    to: &mut OwnedWriteHalf,
    chunk: &[u8],
    way: Way,
    toxic: &mut watch::Receiver<Toxic>,
) -> std::io::Result<()> {
    while *toxic.borrow_and_update() == Toxic::BlackHole {
        if toxic.changed().await.is_err() {
            break;
        }
    }
    let now = *toxic.borrow();
    match now {
        Toxic::DropReplies if way == Way::Back => Ok(()),
        Toxic::Dribble => {
            for byte in chunk.chunks(1) {
                to.write_all(byte).await?;
            }
            Ok(())
        }
        _ => to.write_all(chunk).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An echo, and a wire in front of it.
    async fn echo(toxic: Toxic) -> Wire {
        let echo = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let wire = Wire::start(echo.local_addr().unwrap(), toxic).unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = echo.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.into_split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        wire
    }

    async fn says(stream: &mut TcpStream) -> std::io::Result<[u8; 3]> {
        stream.write_all(b"abc").await?;
        hears(stream).await
    }

    async fn hears(stream: &mut TcpStream) -> std::io::Result<[u8; 3]> {
        let mut bytes = [0; 3];
        stream.read_exact(&mut bytes).await?;
        Ok(bytes)
    }

    const MOMENT: Duration = Duration::from_millis(150);

    #[tokio::test]
    async fn what_goes_there_is_late_and_whole_and_what_comes_back_is_not() {
        let delay = Duration::from_millis(60);
        let wire = echo(Toxic::Slow(delay)).await;
        let began = clock::instant();
        let mut stream = TcpStream::connect(wire.address).await.unwrap();
        assert_eq!(&says(&mut stream).await.unwrap(), b"abc");
        assert!((delay..2 * delay + Duration::from_secs(1)).contains(&began.elapsed()));
    }

    #[tokio::test]
    async fn a_dribble_is_whole() {
        let wire = echo(Toxic::Dribble).await;
        let mut stream = TcpStream::connect(wire.address).await.unwrap();
        assert_eq!(&says(&mut stream).await.unwrap(), b"abc");
    }

    #[tokio::test]
    async fn a_black_hole_keeps_what_was_said_until_it_is_healed() {
        let wire = echo(Toxic::Nothing).await;
        let mut stream = TcpStream::connect(wire.address).await.unwrap();
        assert_eq!(&says(&mut stream).await.unwrap(), b"abc");
        wire.set(Toxic::BlackHole);
        stream.write_all(b"def").await.unwrap();
        let silence = tokio::time::timeout(MOMENT, hears(&mut stream)).await;
        assert!(silence.is_err());
        wire.heal();
        let mut rest = [0; 3];
        stream.read_exact(&mut rest).await.unwrap();
        assert_eq!(&rest, b"def");
    }

    #[tokio::test]
    async fn lost_replies_never_come_and_their_connection_ends() {
        let wire = echo(Toxic::Nothing).await;
        let mut stream = TcpStream::connect(wire.address).await.unwrap();
        assert_eq!(&says(&mut stream).await.unwrap(), b"abc");
        wire.set(Toxic::DropReplies);
        stream.write_all(b"def").await.unwrap();
        assert!(
            tokio::time::timeout(MOMENT, hears(&mut stream))
                .await
                .is_err()
        );
        wire.heal();
        assert!(hears(&mut stream).await.is_err());
        let mut stream = TcpStream::connect(wire.address).await.unwrap();
        assert_eq!(&says(&mut stream).await.unwrap(), b"abc");
    }

    #[tokio::test]
    async fn a_wire_can_be_led_elsewhere() {
        let wire = echo(Toxic::Nothing).await;
        let mut before = TcpStream::connect(wire.address).await.unwrap();
        assert_eq!(&says(&mut before).await.unwrap(), b"abc");
        let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
        wire.lead(elsewhere.local_addr().unwrap());
        let mut after = TcpStream::connect(wire.address).await.unwrap();
        after.write_all(b"abc").await.unwrap();
        let (mut there, _) = elsewhere.accept().await.unwrap();
        assert_eq!(&hears(&mut there).await.unwrap(), b"abc");
        assert_eq!(&says(&mut before).await.unwrap(), b"abc", "stays");
    }

    #[tokio::test]
    async fn a_reset_ends_what_is_there_and_a_refusal_what_comes() {
        let wire = echo(Toxic::Nothing).await;
        let mut stream = TcpStream::connect(wire.address).await.unwrap();
        assert_eq!(&says(&mut stream).await.unwrap(), b"abc");
        wire.set(Toxic::Reset);
        assert!(hears(&mut stream).await.is_err());
        let mut stream = TcpStream::connect(wire.address).await.unwrap();
        assert_eq!(&says(&mut stream).await.unwrap(), b"abc");
        wire.set(Toxic::Refuse);
        assert!(hears(&mut stream).await.is_err());
        let refused = async {
            let mut stream = TcpStream::connect(wire.address).await?;
            says(&mut stream).await
        };
        assert!(refused.await.is_err());
    }
}
