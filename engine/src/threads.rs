//! The threads of an engine, and what runs where.
//!
//! *Front threads*, one for each core and each with a runtime of its own, serve connections: a connection stays with one of
//! them, so what answers it is never moved to another, and waking a neighbour takes no lock. The *gate thread* talks to
//! Redis: every batch's answers make hundreds of connections ready at once, and in one queue with those the next batch would
//! leave only after all of them. It also has what is short and must not be late: signs of life, revocations, the signal to
//! stop. *Background threads*, one for two cores, do all else: writer, sweeper, witness, of which a rebuild may compute for
//! seconds. What each brought is in PERFORMANCE.md.

use std::cell::Cell;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use doorbuster_core::clock;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use tokio::task;
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
    background: Option<Runtime>,
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

impl Threads {
    /// Starts the background threads and a front thread for each core; `gate` is for the caller to run.
    ///
    /// # Errors
    /// Where the kernel has no room for another thread or runtime.
    pub(crate) fn start(gate: Handle) -> std::io::Result<(Arc<Self>, Running)> {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self::start_fronts(gate, cores)
    }

    fn start_fronts(gate: Handle, fronts: usize) -> std::io::Result<(Arc<Self>, Running)> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(fronts.div_ceil(2))
            .thread_name("background")
            .enable_all()
            .build()?;
        let background = runtime.handle().clone();
        let mut running = Running {
            stop: CancellationToken::new(),
            joined: Vec::with_capacity(fronts),
            background: Some(runtime),
        };
        let front = (0..fronts).map(|number| {
            Ok(Front {
                handle: running.start_front(number)?,
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

    /// Where Redis is talked to, and nothing takes long.
    pub(crate) fn gate(&self) -> &Handle {
        &self.gate
    }

    /// Where things may take long.
    pub(crate) fn background(&self) -> &Handle {
        &self.background
    }

    /// How many front threads there are.
    pub(crate) fn fronts(&self) -> usize {
        self.front.len()
    }

    /// A front thread for the `number`th of anything.
    pub(crate) fn front(&self, number: usize) -> &Handle {
        &self.front[number % self.front.len()].handle
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

    /// How long whatever is ready waits for its turn on the front thread where it waits longest; `at_most` where that is
    /// longer. Threads without connections are let sleep.
    pub(crate) async fn longest_wait(&self, at_most: Duration) -> Duration {
        let asked = clock::instant();
        let serving = self.front.iter();
        let serving = serving.filter(|front| front.seats.load(Ordering::Relaxed) > 0);
        let turns: Vec<_> = serving
            .map(|front| {
                front.handle.spawn(async move {
                    // What comes from another thread overtakes; from here on it waits as a socket does that has become ready.
                    task::yield_now().await;
                    clock::instant().saturating_duration_since(asked)
                })
            })
            .collect();
        let all = async {
            let mut longest = Duration::ZERO;
            for turn in turns {
                longest = longest.max(turn.await.unwrap_or_default());
            }
            longest
        };
        tokio::time::timeout(at_most, all).await.unwrap_or(at_most)
    }

    /// Finds the thread that is to serve a connection which this one has accepted: itself, unless another has clearly fewer. The
    /// kernel spreads connections over sockets by chance, and a proxy has few of them.
    ///
    /// # Errors
    /// Where the kernel cannot watch the connection for the other thread.
    pub(crate) fn seat(self: &Arc<Self>, stream: TcpStream) -> std::io::Result<(TcpStream, Seat)> {
        let seats = |number: &usize| self.front[*number].seats.load(Ordering::Relaxed);
        let here = FRONT.get();
        let fewest = (0..self.front.len()).min_by_key(seats).unwrap_or_default();
        let number = match here {
            Some(here) if seats(&here) <= seats(&fewest) + seats(&here) / SEATS_UNEVEN => here,
            _ => fewest,
        };
        let stream = if here == Some(number) {
            stream
        } else {
            let stream = stream.into_std()?;
            let _there = self.front(number).enter();
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
            front: vec![Front {
                handle: Handle::current(),
                seats: AtomicUsize::new(0),
            }],
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
        threads.front[number].seats.fetch_add(1, Ordering::Relaxed);
        Self { threads, number }
    }

    pub(crate) fn thread(&self) -> Handle {
        self.threads.front(self.number).clone()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let front = &self.threads.front[self.number];
        front.seats.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Running {
    fn start_front(&mut self, number: usize) -> std::io::Result<Handle> {
        let runtime = Builder::new_current_thread()
            .event_interval(FRONT_TASKS_PER_LOOK)
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        let stop = self.stop.clone();
        let thread = thread::Builder::new().name(format!("front-{number}"));
        self.joined.push(thread.spawn(move || {
            FRONT.set(Some(number));
            runtime.block_on(stop.cancelled());
        })?);
        Ok(handle)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
        // A runtime waits for its threads, which none may do that runs tasks, as a test's.
        let background = self.background.take();
        let _ = thread::spawn(move || drop(background)).join();
        for thread in self.joined.drain(..) {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::mpsc;

    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;
    use tokio::sync::Barrier;

    use super::*;

    fn two() -> (Arc<Threads>, Running) {
        Threads::start_fronts(Handle::current(), 2).unwrap()
    }

    /// Keeps a front thread from all else until the sender is dropped.
    async fn hold(threads: &Threads, number: usize) -> mpsc::Sender<()> {
        let (release, released) = mpsc::channel();
        let (holds, held) = oneshot::channel();
        threads.front(number).spawn(async move {
            holds.send(()).unwrap();
            let _ = released.recv();
        });
        held.await.unwrap();
        release
    }

    #[tokio::test]
    async fn everybody_is_told_what_is_for_him_on_the_thread_where_he_waits() {
        let (threads, _running) = two();
        let release = hold(&threads, 0).await;
        let homes = [Some(0), None, Some(1), Some(0), Some(1), Some(0), Some(1)];
        let (mut answers, mut heard) = (Vec::new(), Vec::new());
        for (number, home) in homes.into_iter().enumerate() {
            let (sender, answer) = oneshot::channel();
            answers.push((Home(home), sender, number));
            heard.push(answer);
        }
        drop(heard.pop());
        threads.tell(answers.into_iter());
        let at_once = |number: &usize| homes[*number] != Some(0);
        for number in (0..6).filter(at_once) {
            assert_eq!((&mut heard[number]).await.unwrap(), number);
        }
        for number in [0, 3, 5] {
            assert!(heard[number].try_recv().is_err(), "told by another thread");
        }
        drop(release);
        for number in [0, 3, 5] {
            assert_eq!((&mut heard[number]).await.unwrap(), number);
        }
    }

    /// All accepted by one thread, as a kernel may have it that spreads by chance; those handed over are heard where they
    /// went, also while that thread is held up.
    #[tokio::test]
    async fn no_thread_serves_many_more_connections_than_another() {
        let (threads, _running) = two();
        let (seats, mut seated) = tokio::sync::mpsc::unbounded_channel();
        let (bound, address) = oneshot::channel();
        let seating = Arc::clone(&threads);
        threads.front(1).spawn(async move {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            bound.send(listener.local_addr().unwrap()).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                seats.send(seating.seat(stream).unwrap()).unwrap();
            }
        });
        let address = address.await.unwrap();
        let (mut clients, mut held) = (Vec::new(), Vec::new());
        for _ in 0..100 {
            clients.push(TcpStream::connect(address).await.unwrap());
            held.push(seated.recv().await.unwrap());
        }
        let count = |number: usize| threads.front[number].seats.load(Ordering::Relaxed);
        assert_eq!(count(0) + count(1), 100);
        // A sixteenth more is left where it was accepted.
        assert!((51..=53).contains(&count(1)), "{} seats", count(1));
        assert!(held[..2].iter().any(|(_, seat)| seat.number == 0));

        let release = hold(&threads, 1).await;
        for (client, (stream, seat)) in clients.iter_mut().zip(&held) {
            if seat.number == 0 {
                client.write_all(b"x").await.unwrap();
                stream.readable().await.unwrap();
            }
        }
        drop(release);
        held.clear();
        assert_eq!(count(0) + count(1), 0, "given back");
    }

    #[tokio::test]
    async fn a_thread_that_is_stuck_or_has_much_to_do_is_late() {
        const LONG: Duration = Duration::from_secs(60);
        let (threads, _running) = two();
        let release = hold(&threads, 1).await;
        assert!(threads.longest_wait(LONG).await < LONG, "it serves nobody");
        let seat = Seat::taken(Arc::clone(&threads), 1);
        let at_most = Duration::from_millis(50);
        assert_eq!(threads.longest_wait(at_most).await, at_most);
        drop(release);
        assert!(threads.longest_wait(LONG).await < LONG);

        // A thousand that are ready, over and over: a turn comes after some hundreds of them at least.
        let busy = Duration::from_micros(100);
        let stop = CancellationToken::new();
        let begun = Arc::new(Barrier::new(1_001));
        for _ in 0..1_000 {
            let (stop, begun) = (stop.clone(), Arc::clone(&begun));
            threads.front(1).spawn(async move {
                begun.wait().await;
                while !stop.is_cancelled() {
                    thread::sleep(busy);
                    task::yield_now().await;
                }
            });
        }
        begun.wait().await;
        let waited = threads.longest_wait(LONG).await;
        stop.cancel();
        assert!(waited >= busy * 200, "{waited:?}");
        drop(seat);
    }
}
