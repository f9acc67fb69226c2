//! Writes webhooks down, many with one statement: while one is under way the next ones gather. Whoever comes when nobody writes becomes the
//! one who does, in a task of its own. Nobody is answered before his is committed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::mysql::MySqlPool;
use tokio::sync::oneshot;

use super::store;
use crate::error::ApiError;
use crate::payments::limits::{WEBHOOKS_PER_STATEMENT, WEBHOOKS_WAITING_MAX};
use crate::payments::provider::Event;

type Told = Result<(), Arc<sqlx::Error>>;

#[derive(Clone, Default)]
pub(crate) struct Taking(Arc<Shared>);

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<(Event, oneshot::Sender<Told>)>,
    is_written: bool,
}

impl Taking {
    /// Never held while anything is awaited.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// # Errors
    /// `Overloaded` where too many wait; whatever kept it from being written. It comes again then.
    pub(super) async fn take(&self, books: &MySqlPool, event: Event) -> Result<(), ApiError> {
        let (tell, told) = oneshot::channel();
        let leads = {
            let mut queue = self.queue();
            if queue.waiting.len() >= WEBHOOKS_WAITING_MAX {
                return Err(ApiError::Overloaded);
            }
            queue.waiting.push_back((event, tell));
            !std::mem::replace(&mut queue.is_written, true)
        };
        if leads {
            tokio::spawn(self.clone().write(books.clone()));
        }
        match told.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(ApiError::Unavailable(anyhow::Error::new(error))),
            Err(_) => Err(ApiError::Unavailable(anyhow::anyhow!(
                "the writing task ended"
            ))),
        }
    }

    async fn write(self, books: MySqlPool) {
        loop {
            let batch: Vec<_> = {
                let mut queue = self.queue();
                let many = queue.waiting.len().min(WEBHOOKS_PER_STATEMENT);
                if many == 0 {
                    queue.is_written = false;
                    return;
                }
                queue.waiting.drain(..many).collect()
            };
            let events: Vec<&Event> = batch.iter().map(|(event, _)| event).collect();
            let told: Told = store::insert(&books, &events).await.map_err(Arc::new);
            for (_, tell) in batch {
                // A client that has gone sends it again.
                let _ = tell.send(told.clone());
            }
        }
    }
}
