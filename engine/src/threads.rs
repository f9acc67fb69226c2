//! The threads of an engine, each with a runtime of its own, and what runs where.
//!
//! *Front threads*, one for each core, serve connections: a connection stays with one of them, so what answers it is never
//! moved between cores, and waking a neighbour takes no lock. The *gate thread* talks to Redis: every batch's answers make
//! hundreds of connections ready at once, and in one queue with those the next batch would leave only after all of them.
//! The *background thread* does what no buyer waits for: writer, sweeper, witness. What that brought: PERFORMANCE.md.

use std::cell::Cell;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use tokio::net::TcpStream;
use tokio::runtime::{Builder, EnterGuard, Handle, Runtime};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::limits::{FRONT_TASKS_PER_LOOK, SEATS_UNEVEN};

thread_local! {
    /// Which front thread this is.
    static FRONT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Handles on all of them.
#[derive(Debug)]
pub(crate) struct Threads {
    gate: Handle,
    background: Handle,
    front: Vec<Front>,
}

#[derive(Debug)]
struct Front {
    handle: Handle,
    /// Connections that it serves.
    seats: AtomicUsize,
}

/// The threads besides the gate's, which is the one that starts them; on drop, what still runs on them is dropped, and they end.
#[derive(Debug)]
pub(crate) struct Running {
    stop: CancellationToken,
    joined: Vec<JoinHandle<()>>,
}

/// Where somebody waits for an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Home(Option<usize>);

/// A connection's place on a front thread, given back on drop.
#[derive(Debug)]
pub(crate) struct Seat {
    threads: Arc<Threads>,
    number: usize,
}

/// A runtime for one thread.
///
/// # Errors
/// Where the kernel has no more file descriptors for it.
pub(crate) fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

impl Threads {
    /// Starts the background thread and a front thread for each core; `gate` is for the caller to run.
    ///
    /// # Errors
    /// Where the kernel has no room for another thread or runtime.
    pub(crate) fn start(gate: Handle) -> std::io::Result<(Arc<Self>, Running)> {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self::start_fronts(gate, cores)
    }

    fn start_fronts(gate: Handle, fronts: usize) -> std::io::Result<(Arc<Self>, Running)> {
        let mut running = Running {
            stop: CancellationToken::new(),
            joined: Vec::with_capacity(fronts + 1),
        };
        let background = running.start("background", None)?;
        let front = (0..fronts).map(|number| {
            Ok(Front {
                handle: running.start(&format!("front-{number}"), Some(number))?,
                seats: AtomicUsize::new(0),
            })
        });
        let front = front.collect::<std::io::Result<_>>()?;
        let threads = Self {
            gate,
            background,
            front,
        };
        Ok((Arc::new(threads), running))
    }

    /// Where Redis is talked to.
    pub(crate) fn gate(&self) -> &Handle {
        &self.gate
    }

    /// Where all else is done that no buyer waits for.
    pub(crate) fn background(&self) -> &Handle {
        &self.background
    }

    /// A front thread for the `number`th of anything.
    pub(crate) fn front(&self, number: usize) -> &Handle {
        self.front
            .get(number % self.front.len().max(1))
            .map_or(&self.background, |front| &front.handle)
    }

    /// Has everybody told on the thread where he waits: one wake for each thread, instead of one for each who waits.
    pub(crate) fn tell<T: Send + 'static>(
        &self,
        answers: impl Iterator<Item = (Home, oneshot::Sender<T>, T)>,
    ) {
        let mut at_home: Vec<Vec<_>> = self.front.iter().map(|_| Vec::new()).collect();
        for (home, sender, answer) in answers {
            match home.0.and_then(|number| at_home.get_mut(number)) {
                Some(told) => told.push((sender, answer)),
                None => give(sender, answer),
            }
        }
        for (front, told) in self.front.iter().zip(at_home) {
            if told.len() > 1 {
                front.handle.spawn(async move {
                    told.into_iter().for_each(|(to, answer)| give(to, answer))
                });
            } else {
                told.into_iter().for_each(|(to, answer)| give(to, answer));
            }
        }
    }

    /// Returns once each front thread has had a turn for something new.
    pub(crate) async fn turned(&self) {
        let turns: Vec<_> = self
            .front
            .iter()
            .map(|front| front.handle.spawn(std::future::ready(())))
            .collect();
        for turn in turns {
            let _ = turn.await;
        }
    }

    /// Finds the thread that is to serve a connection which this one has accepted: itself, unless another has clearly fewer. The
    /// kernel spreads connections over sockets by chance, and a proxy has few of them.
    ///
    /// # Errors
    /// Where the kernel cannot watch the connection for the other thread.
    pub(crate) fn seat(self: &Arc<Self>, stream: TcpStream) -> std::io::Result<(TcpStream, Seat)> {
        let seats = |number: &usize| self.front[*number].seats.load(Ordering::Relaxed);
        let here = FRONT.get();
        let fewest = (0..self.front.len()).min_by_key(seats);
        let number = match (here, fewest) {
            (Some(here), Some(fewest)) => {
                let many = seats(&here);
                let uneven = seats(&fewest) + many / SEATS_UNEVEN < many;
                if uneven { fewest } else { here }
            }
            (here, fewest) => here.or(fewest).unwrap_or_default(),
        };
        let stream = if here == Some(number) {
            stream
        } else {
            let stream = stream.into_std()?;
            let _there: EnterGuard<'_> = self.front(number).enter();
            TcpStream::from_std(stream)?
        };
        Ok((stream, Seat::taken(Arc::clone(self), number)))
    }

    /// For tests: everything on the runtime that runs the test.
    #[cfg(test)]
    pub(crate) fn all_here() -> Arc<Self> {
        Arc::new(Self {
            gate: Handle::current(),
            background: Handle::current(),
            front: Vec::new(),
        })
    }
}

/// Whoever has hung up misses nothing.
fn give<T>(to: oneshot::Sender<T>, answer: T) {
    let _ = to.send(answer);
}

impl Home {
    /// Of who is running.
    pub(crate) fn here() -> Self {
        Self(FRONT.get())
    }
}

impl Seat {
    fn taken(threads: Arc<Threads>, number: usize) -> Self {
        if let Some(front) = threads.front.get(number) {
            front.seats.fetch_add(1, Ordering::Relaxed);
        }
        Self { threads, number }
    }

    pub(crate) fn thread(&self) -> Handle {
        self.threads.front(self.number).clone()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(front) = self.threads.front.get(self.number) {
            front.seats.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Running {
    fn start(&mut self, name: &str, front: Option<usize>) -> std::io::Result<Handle> {
        let mut builder = Builder::new_current_thread();
        if front.is_some() {
            builder.event_interval(FRONT_TASKS_PER_LOOK);
        }
        let runtime = builder.enable_all().build()?;
        let handle = runtime.handle().clone();
        let stop = self.stop.clone();
        let joined = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                FRONT.set(front);
                runtime.block_on(stop.cancelled());
            })?;
        self.joined.push(joined);
        Ok(handle)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
        for thread in self.joined.drain(..) {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::TcpListener;
    use tokio::sync::mpsc;

    use super::*;

    /// Who runs on thread 0 or 1 waits there, whoever runs here waits here, and one has hung up.
    #[tokio::test]
    async fn everybody_is_told_what_is_for_him() {
        let (threads, _running) = Threads::start_fronts(Handle::current(), 2).unwrap();
        let (asks, mut asked) = mpsc::unbounded_channel();
        let mut waiting = Vec::new();
        for number in 0..7 {
            let asks = asks.clone();
            let waits = async move {
                let (sender, answer) = oneshot::channel();
                asks.send((Home::here(), sender, number)).unwrap();
                (number, answer.await.unwrap(), FRONT.get())
            };
            waiting.push(match number {
                0..6 => threads.front(number / 4).spawn(waits),
                _ => tokio::spawn(waits),
            });
        }
        let (gone, _) = oneshot::channel();
        let mut answers = vec![(Home(Some(1)), gone, 7)];
        while answers.len() < 8 {
            answers.push(asked.recv().await.unwrap());
        }
        threads.tell(answers.into_iter());
        for waited in waiting {
            let (number, told, front) = waited.await.unwrap();
            assert_eq!(told, number);
            assert_eq!(front, (number < 6).then_some(number / 4));
        }
    }

    /// All accepted by one thread, as a kernel may have it that spreads by chance.
    #[tokio::test]
    async fn no_thread_serves_many_more_connections_than_another() {
        let (threads, _running) = Threads::start_fronts(Handle::current(), 3).unwrap();
        let listener = {
            let _there = threads.front(1).enter();
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            listener.set_nonblocking(true).unwrap();
            TcpListener::from_std(listener).unwrap()
        };
        let address = listener.local_addr().unwrap();
        let (seats, mut seated) = mpsc::unbounded_channel();
        let seating = Arc::clone(&threads);
        let accepting = threads.front(1).spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (stream, seat) = seating.seat(stream).unwrap();
                // Only the runtime that watches a socket hears of what arrives.
                let heard = seat.thread().spawn(async move {
                    stream.readable().await.unwrap();
                    (stream, FRONT.get())
                });
                seats.send((seat, heard)).unwrap();
            }
        });
        let mut clients = Vec::new();
        let mut held = Vec::new();
        for _ in 0..30 {
            let mut client = TcpStream::connect(address).await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut client, b"x")
                .await
                .unwrap();
            clients.push(client);
            let (seat, heard) = seated.recv().await.unwrap();
            let (stream, front) = heard.await.unwrap();
            assert_eq!(front, Some(seat.number));
            held.push((seat, stream));
        }
        accepting.abort();
        let count = |number: usize| threads.front[number].seats.load(Ordering::Relaxed);
        assert_eq!((0..3).map(count).sum::<usize>(), 30);
        assert!(
            (0..3).all(|number| (9..=11).contains(&count(number))),
            "even"
        );
        held.clear();
        assert_eq!((0..3).map(count).sum::<usize>(), 0, "given back");
    }

    #[tokio::test]
    async fn a_thread_that_is_kept_busy_is_late() {
        let (threads, _running) = Threads::start_fronts(Handle::current(), 2).unwrap();
        let (release, released) = std::sync::mpsc::channel::<()>();
        threads.front(1).spawn(async move {
            let _ = released.recv();
        });
        let mut turned = std::pin::pin!(threads.turned());
        let early = tokio::time::timeout(std::time::Duration::from_millis(50), &mut turned).await;
        assert!(early.is_err());
        release.send(()).unwrap();
        turned.await;
    }
}
