//! Who is connected, and since when each connection has had no request: closes those that are silent for too long, and all
//! silent ones when the engine drains.
//!
//! One look at all connections now and then, instead of a timer armed and disarmed for every request. Silent is a connection from its beginning, or from its last answer, until its
//! next request's head is whole, so a head sent byte by byte gains nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use doorbuster_core::clock;
use tokio::task::AbortHandle;

/// In place of a time while a request is being answered, and once the connection is being closed.
const BUSY: u64 = u64::MAX;
const CLOSING: u64 = u64::MAX - 1;

/// All connections.
#[derive(Debug, Default)]
pub(super) struct Connections {
    open: Mutex<HashMap<u64, Open>>,
    next: AtomicU64,
}

#[derive(Debug)]
struct Open {
    silence: Arc<Silence>,
    /// Ends the connection's task, and with it the connection; there once the task is.
    task: Option<AbortHandle>,
}

/// One connection's: since when it has had no request.
#[derive(Debug)]
pub(super) struct Silence {
    number: u64,
    /// Silent since then, by [`clock::now_ms`].
    silent_ms: AtomicU64,
}

/// Held while a request is being answered.
#[derive(Debug)]
pub(super) struct Busy(Arc<Silence>);

impl Connections {
    pub(super) fn opened(&self) -> Arc<Silence> {
        let silence = Arc::new(Silence {
            number: self.next.fetch_add(1, Ordering::Relaxed),
            silent_ms: AtomicU64::new(clock::now_ms()),
        });
        let open = Open {
            silence: Arc::clone(&silence),
            task: None,
        };
        self.lock().insert(silence.number, open);
        silence
    }

    /// The task that serves the connection of that number, which may have ended by now.
    pub(super) fn served_by(&self, number: u64, task: AbortHandle) {
        if let Some(open) = self.lock().get_mut(&number) {
            open.task = Some(task);
        }
    }

    pub(super) fn closed(&self, silence: &Silence) {
        self.lock().remove(&silence.number);
    }

    /// Closes what has been silent for so long; returns how many connections are left.
    pub(super) fn close_silent(&self, silent_for: Duration) -> usize {
        let before = clock::now_ms().saturating_sub(silent_for.as_millis() as u64);
        let mut open = self.lock();
        open.retain(|_, open| {
            let Some(task) = &open.task else { return true };
            let closing = open.silence.close(before);
            if closing {
                task.abort();
            }
            !closing
        });
        open.len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Silence {
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// A request's head is whole; nothing where the connection is being closed already.
    pub(super) fn busy(self: Arc<Self>) -> Option<Busy> {
        let was = self
            .silent_ms
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |was| {
                (was != CLOSING).then_some(BUSY)
            });
        was.is_ok().then(|| Busy(self))
    }

    /// Its last answer is on its way; what bounds that also bounds the connection.
    pub(super) fn ending(&self) {
        let _ = self
            .silent_ms
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |was| {
                (was != CLOSING).then_some(BUSY)
            });
    }

    /// Whether it has been silent since `before`, and so takes no request any more.
    fn close(&self, before: u64) -> bool {
        let was = self
            .silent_ms
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |was| {
                (was <= before).then_some(CLOSING)
            });
        was.is_ok()
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.silent_ms.store(clock::now_ms(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_silent_are_closed_and_the_busy_are_not() {
        let connections = Connections::default();
        let mut tasks = Vec::new();
        let open: Vec<Arc<Silence>> = (0..2).map(|_| connections.opened()).collect();
        for silence in &open {
            let task = tokio::spawn(std::future::pending::<()>());
            connections.served_by(silence.number(), task.abort_handle());
            tasks.push(task);
        }
        let busy = Arc::clone(&open[1]).busy().unwrap();
        assert_eq!(connections.close_silent(Duration::from_secs(60)), 2);
        assert_eq!(connections.close_silent(Duration::ZERO), 1);
        assert!(tasks.remove(0).await.unwrap_err().is_cancelled());
        assert!(Arc::clone(&open[0]).busy().is_none(), "too late");
        drop(busy);
        assert_eq!(connections.close_silent(Duration::ZERO), 0);
        connections.closed(&open[0]);
    }
}
