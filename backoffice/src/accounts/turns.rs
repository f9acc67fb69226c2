//! Whose password is looked at, and when. A storm of sign-ins waits here before it costs a statement or a hash: so many have room, so many of one
//! address, and a few at a time have their turn, in the order in which they came. Past any of these bounds the client is told to come back.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use doorbuster_core::crowds::{Counted, Crowds};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::limits::{
    PASSWORD_COUNT_TIMEOUT, PASSWORD_LOOK_TIMEOUT, PASSWORD_LOOK_WAIT, PASSWORD_LOOKS_MAX,
    PASSWORD_LOOKS_PER_ADDRESS_MAX, PASSWORD_LOOKS_WAITING_MAX, PASSWORD_QUEUE_MAX,
    PASSWORD_QUEUE_PER_ADDRESS_MAX, PASSWORD_TURN_WAIT, PASSWORD_TURNS_MAX,
};
use crate::app::App;
use crate::error::ApiError;

/// Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Turns {
    /// Those who wait for their turn or have it.
    room: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    crowds: Crowds,
    /// Those who look whether they may come in, and those who wait for that.
    looks: Arc<Semaphore>,
    looking: Arc<Semaphore>,
    onlookers: Crowds,
}

/// A turn. It is had once it is known that whoever asks may, and before anything else is done for him: who finds no room costs little, and what he tried
/// is not held against him. Nobody may wait for a second one while he has one: all turns could be in the hands of such.
#[derive(Debug)]
pub(crate) struct Turn {
    // Dropped in this order: whoever finds room finds turns that are left, too.
    _turn: OwnedSemaphorePermit,
    _one_of_crowd: Counted,
    _room: OwnedSemaphorePermit,
}

impl Default for Turns {
    fn default() -> Self {
        let of = |permits| Arc::new(Semaphore::new(permits));
        Self {
            room: of(PASSWORD_QUEUE_MAX),
            turns: of(PASSWORD_TURNS_MAX),
            crowds: Crowds::new(PASSWORD_QUEUE_PER_ADDRESS_MAX),
            looks: of(PASSWORD_LOOKS_MAX),
            looking: of(PASSWORD_LOOKS_WAITING_MAX),
            onlookers: Crowds::new(PASSWORD_LOOKS_PER_ADDRESS_MAX),
        }
    }
}

impl Turns {
    /// What decides whether somebody may wait for a turn at all: a few of such at a time, and none where there is no room.
    ///
    /// # Errors
    /// What `asked` says, or [`ApiError::Unavailable`] where it does not in time; [`ApiError::Overloaded`] where too many wait, too many of this
    /// address, or for too long.
    pub(crate) async fn look(
        &self,
        ip: IpAddr,
        asked: impl Future<Output = Result<(), ApiError>>,
    ) -> Result<(), ApiError> {
        let _one_of_crowd = self.onlookers.enter(ip).map_err(|_| OVERLOADED)?;
        let _waiting = self.looking.try_acquire().map_err(|_| OVERLOADED)?;
        if self.room.available_permits() == 0 {
            return Err(OVERLOADED);
        }
        let _look = soon(PASSWORD_LOOK_WAIT, self.looks.acquire()).await?;
        let asked = timeout(PASSWORD_LOOK_TIMEOUT, asked).await;
        asked.unwrap_or_else(|_| Err(late(PASSWORD_LOOK_TIMEOUT)))
    }

    /// Waits for it if there is room to.
    ///
    /// # Errors
    /// [`ApiError::Overloaded`] where too many wait, too many of this address, or for too long.
    pub(crate) async fn wait(&self, ip: IpAddr) -> Result<Turn, ApiError> {
        let room = Arc::clone(&self.room).try_acquire_owned();
        let room = room.map_err(|_| OVERLOADED)?;
        let one_of_crowd = self.crowds.enter(ip).map_err(|_| OVERLOADED)?;
        let turn = Arc::clone(&self.turns).acquire_owned();
        Ok(Turn {
            _turn: soon(PASSWORD_TURN_WAIT, turn).await?,
            _one_of_crowd: one_of_crowd,
            _room: room,
        })
    }
}

const OVERLOADED: ApiError = ApiError::Overloaded;

async fn soon<P>(
    most: Duration,
    permit: impl Future<Output = Result<P, AcquireError>>,
) -> Result<P, ApiError> {
    match timeout(most, permit).await {
        Ok(Ok(permit)) => Ok(permit),
        Ok(Err(_)) | Err(_) => Err(OVERLOADED),
    }
}

fn late(most: Duration) -> ApiError {
    ApiError::Unavailable(anyhow!(
        "the books did not tell within {most:?} whether a password may be tried"
    ))
}

/// What somebody with a turn writes into the books; nobody is to hold a turn for as long as another holds a row. What is late is still done, by itself:
/// a transaction that is dropped before its beginning is answered stays open on its connection.
///
/// # Errors
/// What `work` says; [`ApiError::Unavailable`] where it does not in time.
pub(crate) async fn counted<T: Send + 'static>(
    app: &App,
    work: impl Future<Output = Result<T, ApiError>> + Send + 'static,
) -> Result<T, ApiError> {
    match timeout(PASSWORD_COUNT_TIMEOUT, app.work.spawn(work)).await {
        Ok(Ok(told)) => told,
        Ok(Err(panicked)) => Err(ApiError::Internal(panicked.into())),
        Err(_) => Err(late(PASSWORD_COUNT_TIMEOUT)),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::task::JoinSet;

    use super::*;

    fn ip(n: usize) -> IpAddr {
        Ipv4Addr::from(u32::try_from(n).unwrap()).into()
    }

    async fn all(turns: &Turns) -> Vec<Turn> {
        let mut had = Vec::new();
        for n in 0..PASSWORD_TURNS_MAX {
            had.push(turns.wait(ip(n)).await.unwrap());
        }
        had
    }

    #[tokio::test]
    async fn a_storm_waits_for_its_turns_and_is_turned_away_past_the_room_that_there_is() {
        let turns = Turns::default();
        let had = all(&turns).await;
        let mut waiting = JoinSet::new();
        for n in PASSWORD_TURNS_MAX..PASSWORD_QUEUE_MAX {
            let turns = turns.clone();
            waiting.spawn(async move { turns.wait(ip(n)).await.map(drop) });
        }
        while turns.room.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let stranger = turns.wait(ip(PASSWORD_QUEUE_MAX)).await;
        assert!(matches!(stranger, Err(ApiError::Overloaded)));
        let unasked = turns.look(ip(0), async { unreachable!("it costs something") });
        assert!(matches!(unasked.await, Err(ApiError::Overloaded)));
        assert!(waiting.try_join_next().is_none(), "nobody's turn has come");
        drop(had);
        for waited in waiting.join_all().await {
            waited.unwrap();
        }
        assert_eq!(turns.room.available_permits(), PASSWORD_QUEUE_MAX);
        assert!(turns.crowds.is_empty());
    }

    #[tokio::test]
    async fn one_address_has_a_part_of_the_room() {
        let turns = Turns::default();
        let had = all(&turns).await;
        let mut waiting = JoinSet::new();
        for _ in 0..PASSWORD_QUEUE_PER_ADDRESS_MAX {
            let turns = turns.clone();
            waiting.spawn(async move { turns.wait(ip(1_000)).await.map(drop) });
        }
        let wanted = PASSWORD_TURNS_MAX + PASSWORD_QUEUE_PER_ADDRESS_MAX;
        while PASSWORD_QUEUE_MAX - turns.room.available_permits() < wanted {
            tokio::task::yield_now().await;
        }
        let one_more = turns.wait(ip(1_000)).await;
        assert!(matches!(one_more, Err(ApiError::Overloaded)));
        drop(had);
        turns.wait(ip(1_001)).await.unwrap();
        waiting.join_all().await;
    }

    #[tokio::test]
    async fn nobody_waits_for_longer_than_his_client_does() {
        let turns = Turns::default();
        let _had = all(&turns).await;
        let (waited, looked) = tokio::join!(
            turns.wait(ip(1_000)),
            turns.look(ip(0), std::future::pending::<Result<(), ApiError>>())
        );
        assert!(matches!(waited, Err(ApiError::Overloaded)));
        assert!(matches!(looked, Err(ApiError::Unavailable(_))));
        let left = turns.room.available_permits();
        assert_eq!(left, PASSWORD_QUEUE_MAX - PASSWORD_TURNS_MAX);
        assert_eq!(
            turns.looking.available_permits(),
            PASSWORD_LOOKS_WAITING_MAX
        );
    }

    #[tokio::test]
    async fn a_few_look_at_a_time_and_so_many_wait_for_it_some_of_one_address() {
        let turns = Turns::default();
        let mut looking = JoinSet::new();
        let begun = Arc::new(Semaphore::new(0));
        let mut look = |n: usize| {
            let (turns, begun) = (turns.clone(), Arc::clone(&begun));
            looking.spawn(async move {
                let asked = async {
                    begun.add_permits(1);
                    std::future::pending().await
                };
                turns.look(ip(n), asked).await
            });
        };
        (0..PASSWORD_LOOKS_PER_ADDRESS_MAX).for_each(|_| look(0));
        (PASSWORD_LOOKS_PER_ADDRESS_MAX..PASSWORD_LOOKS_WAITING_MAX - 1).for_each(&mut look);
        while turns.looking.available_permits() > 1 {
            tokio::task::yield_now().await;
        }
        let one_more = turns.look(ip(0), std::future::pending()).await;
        assert!(matches!(one_more, Err(ApiError::Overloaded)));
        assert_eq!(
            turns.looking.available_permits(),
            1,
            "it is not the last place"
        );
        look(1_000);
        while turns.looking.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let one_more = turns.look(ip(1_001), std::future::pending()).await;
        assert!(matches!(one_more, Err(ApiError::Overloaded)));
        assert_eq!(begun.available_permits(), PASSWORD_LOOKS_MAX);
    }
}
