//! A TCP hop in front of a server, which loses what a test wants lost: what a client library does then is seen from outside.
//! Called by tests. Everything it started ends when it is dropped.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context, Result};

use crate::limits::{HOP_CHUNK_BYTES, HOP_LOOK_EVERY, HOP_SEEN_BYTES_MAX};

/// What becomes of the bytes of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Passing {
    /// They arrive.
    #[default]
    Whole,
    /// Requests arrive, replies are lost.
    RepliesLost,
    /// All are lost, and the connection stays open.
    NothingArrives,
    /// Nobody takes them: senders fill their buffers.
    Stalled,
}

/// One hop to a port of 127.0.0.1.
#[derive(Debug)]
pub struct Hop {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    links: Mutex<Vec<Arc<Link>>>,
    /// All bytes of requests, in the order of their arrival here.
    seen: Mutex<Vec<u8>>,
    trap: Mutex<Option<Trap>>,
    is_over: AtomicBool,
}

/// The request whose connection is to change, and how.
#[derive(Debug)]
struct Trap {
    request: Vec<u8>,
    /// Only where this has come by before on the same connection.
    after: Vec<u8>,
    passing: Passing,
}

#[derive(Debug)]
struct Link {
    client: TcpStream,
    server: TcpStream,
    /// All bytes of its requests.
    seen: Mutex<Vec<u8>>,
    passing: Mutex<Passing>,
}

impl Hop {
    /// Leads to `port`; listens on a port that the system picks.
    pub fn to(port: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("a hop's port")?;
        listener.set_nonblocking(true)?;
        let (own, shared) = (listener.local_addr()?.port(), Arc::<Shared>::default());
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, port, &accepting));
        Ok(Self { port: own, shared })
    }

    /// Where clients reach it.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What becomes from now on of the bytes of the connections that there are; new ones pass them whole.
    pub fn pass(&self, passing: Passing) {
        for link in self.shared.links().iter() {
            *lock(&link.passing) = passing;
        }
    }

    /// The same for the connection on which the next request with these bytes comes by, from that request on; of connections
    /// on which `after` has come by before.
    pub fn pass_from(&self, request: &[u8], after: &[u8], passing: Passing) {
        *lock(&self.shared.trap) = Some(Trap {
            request: request.to_vec(),
            after: after.to_vec(),
            passing,
        });
    }

    /// Whether that request has come by.
    pub fn has_passed(&self) -> bool {
        lock(&self.shared.trap).is_none()
    }

    /// Ends the connections that there are.
    pub fn cut(&self) {
        for link in self.shared.links().drain(..) {
            link.end();
        }
    }

    /// How often `needle` came by in requests.
    pub fn seen(&self, needle: &[u8]) -> usize {
        found(&lock(&self.shared.seen), needle)
    }
}

fn found(bytes: &[u8], needle: &[u8]) -> usize {
    let windows = bytes.windows(needle.len().max(1));
    windows.filter(|window| *window == needle).count()
}

impl Drop for Hop {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.cut();
    }
}

impl Shared {
    fn links(&self) -> MutexGuard<'_, Vec<Arc<Link>>> {
        lock(&self.links)
    }

    /// What is to become of the connection of these bytes, if they are those that were waited for.
    fn trapped(&self, bytes: &[u8], before: &[u8]) -> Option<Passing> {
        let mut trap = lock(&self.trap);
        let is_it =
            |trap: &mut Trap| found(bytes, &trap.request) > 0 && found(before, &trap.after) > 0;
        trap.take_if(is_it).map(|trap| trap.passing)
    }
}

fn note(seen: &Mutex<Vec<u8>>, bytes: &[u8]) {
    let mut seen = lock(seen);
    let room = HOP_SEEN_BYTES_MAX.saturating_sub(seen.len());
    seen.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

impl Link {
    fn end(&self) {
        *lock(&self.passing) = Passing::Whole;
        // Closed already, perhaps.
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }

    fn passing(&self) -> Passing {
        *lock(&self.passing)
    }

    /// Takes requests to the server until either side ends.
    fn ask(&self, shared: &Shared) {
        self.carry(&self.client, &self.server, |bytes| {
            if let Some(passing) = shared.trapped(bytes, &lock(&self.seen)) {
                *lock(&self.passing) = passing;
            }
            note(&self.seen, bytes);
            note(&shared.seen, bytes);
            self.passing() != Passing::NothingArrives
        });
    }

    fn answer(&self) {
        self.carry(&self.server, &self.client, |_| {
            self.passing() == Passing::Whole
        });
    }

    fn carry(&self, from: &TcpStream, to: &TcpStream, arrives: impl Fn(&[u8]) -> bool) {
        let (mut from, mut to) = (from, to);
        let mut chunk = vec![0; HOP_CHUNK_BYTES];
        loop {
            if self.passing() == Passing::Stalled {
                thread::sleep(HOP_LOOK_EVERY);
                continue;
            }
            match from.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => {
                    let bytes = &chunk[..count];
                    if arrives(bytes) && to.write_all(bytes).is_err() {
                        break;
                    }
                }
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => break,
            }
        }
        self.end();
    }
}

fn accept(listener: &TcpListener, port: u16, shared: &Arc<Shared>) {
    while !shared.is_over.load(Ordering::Relaxed) {
        match listener.accept() {
            // A server that is away closes what comes here, as it would itself.
            Ok((client, _)) => {
                let _ = link(client, port, shared);
            }
            Err(_) => thread::sleep(HOP_LOOK_EVERY / 4),
        }
    }
}

fn link(client: TcpStream, port: u16, shared: &Arc<Shared>) -> Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    for stream in [&client, &server] {
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(HOP_LOOK_EVERY))?;
    }
    let link = Arc::new(Link {
        client,
        server,
        seen: Mutex::default(),
        passing: Mutex::default(),
    });
    shared.links().push(Arc::clone(&link));
    let (asking, seen) = (Arc::clone(&link), Arc::clone(shared));
    thread::spawn(move || asking.ask(&seen));
    thread::spawn(move || link.answer());
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
