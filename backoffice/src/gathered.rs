//! Questions to MySQL that come together are asked together: while one round is under way the next questions gather. Whoever comes when none is
//! under way becomes the one who asks, in a task of its own. An answer is never older than its question.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::mysql::MySqlPool;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::error::ApiError;
use crate::limits::ROUND_TIMEOUT;
use crate::passing::is_passing;

/// Something to be asked, or to be written down, many at once.
pub(crate) trait Together: Send + Sync + Sized + 'static {
    type Answer: Send + 'static;

    /// Questions of one round.
    const AT_ONCE: usize;
    /// Questions that wait; more are shed.
    const WAITING_MAX: usize;

    /// One answer for each of them, in their order.
    fn ask(
        books: &MySqlPool,
        all: &[Self],
    ) -> impl Future<Output = sqlx::Result<Vec<Self::Answer>>> + Send;
}

type Told<Q> = Result<<Q as Together>::Answer, Arc<sqlx::Error>>;

/// Where questions of one kind gather. Cheap to clone.
pub(crate) struct Gathered<Q: Together> {
    queue: Arc<Mutex<Queue<Q>>>,
    /// Of one round.
    bound: Duration,
}

struct Queue<Q: Together> {
    waiting: VecDeque<(Q, oneshot::Sender<Told<Q>>)>,
    is_asked: bool,
}

impl<Q: Together> Default for Gathered<Q> {
    fn default() -> Self {
        let queue = Queue {
            waiting: VecDeque::new(),
            is_asked: false,
        };
        Self {
            queue: Arc::new(Mutex::new(queue)),
            bound: ROUND_TIMEOUT,
        }
    }
}

impl<Q: Together> Clone for Gathered<Q> {
    fn clone(&self) -> Self {
        Self {
            queue: Arc::clone(&self.queue),
            ..*self
        }
    }
}

impl<Q: Together> Gathered<Q> {
    /// Never held while anything is awaited.
    fn queue(&self) -> MutexGuard<'_, Queue<Q>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// # Errors
    /// [`ApiError::Unavailable`] where too many wait: whoever asks may have done something before. Whatever MySQL said.
    pub(crate) async fn ask(&self, books: &MySqlPool, question: Q) -> Result<Q::Answer, ApiError> {
        let (tell, told) = oneshot::channel();
        let leads = {
            let mut queue = self.queue();
            if queue.waiting.len() >= Q::WAITING_MAX {
                return Err(ApiError::Unavailable(anyhow::anyhow!("too many wait")));
            }
            queue.waiting.push_back((question, tell));
            !std::mem::replace(&mut queue.is_asked, true)
        };
        if leads {
            tokio::spawn(self.clone().rounds(books.clone()));
        }
        match told.await {
            Ok(told) => told.map_err(ApiError::from),
            Err(ended) => Err(ApiError::Unavailable(ended.into())),
        }
    }

    async fn rounds(self, books: MySqlPool) {
        let _lead = Lead(&self);
        loop {
            let (all, askers): (Vec<Q>, Vec<_>) = {
                let mut queue = self.queue();
                let many = queue.waiting.len().min(Q::AT_ONCE);
                if many == 0 {
                    queue.is_asked = false;
                    return;
                }
                queue.waiting.drain(..many).unzip()
            };
            // Whoever has gone is told in vain.
            match self.asked(&books, &all).await {
                Ok(answers) => {
                    for (asker, answer) in askers.into_iter().zip(answers) {
                        let _ = asker.send(Ok(answer));
                    }
                }
                // One of them cannot be answered, and is not to keep the others from it.
                Err(error) if all.len() > 1 && !is_passing(&error) => {
                    for (asker, question) in askers.into_iter().zip(&all) {
                        let alone = self.asked(&books, std::slice::from_ref(question)).await;
                        let answer = alone.map(|mut answers| answers.pop());
                        let answer = answer.and_then(|one| one.ok_or(sqlx::Error::RowNotFound));
                        let _ = asker.send(answer.map_err(Arc::new));
                    }
                }
                Err(error) => {
                    let error = Arc::new(error);
                    for asker in askers {
                        let _ = asker.send(Err(Arc::clone(&error)));
                    }
                }
            }
        }
    }

    /// A connection whose server is gone may never say so.
    async fn asked(&self, books: &MySqlPool, all: &[Q]) -> sqlx::Result<Vec<Q::Answer>> {
        let asked = timeout(self.bound, Q::ask(books, all)).await;
        asked.unwrap_or_else(|late| Err(sqlx::Error::Io(late.into())))
    }
}

/// Who asks. Should that end otherwise than by having asked all, whoever waits is told so, and the next one asks.
struct Lead<'a, Q: Together>(&'a Gathered<Q>);

impl<Q: Together> Drop for Lead<'_, Q> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut queue = self.0.queue();
            queue.is_asked = false;
            queue.waiting.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
    use tokio::sync::{Notify, Semaphore};
    use tokio::task::JoinSet;

    use super::*;

    /// Answered by its number and that of the round; a round goes on when the test lets it.
    struct Question {
        number: usize,
        asked: Arc<Rounds>,
    }

    struct Rounds {
        count: AtomicUsize,
        begun: Notify,
        leave: Semaphore,
    }

    impl Rounds {
        fn new() -> Arc<Self> {
            Arc::new(Self {
                count: AtomicUsize::new(0),
                begun: Notify::new(),
                leave: Semaphore::new(0),
            })
        }
    }

    impl Together for Question {
        type Answer = (usize, usize);

        const AT_ONCE: usize = 3;
        const WAITING_MAX: usize = 5;

        async fn ask(_: &MySqlPool, all: &[Self]) -> sqlx::Result<Vec<(usize, usize)>> {
            let rounds = Arc::clone(&all[0].asked);
            let round = rounds.count.fetch_add(1, Ordering::SeqCst);
            rounds.begun.notify_one();
            rounds.leave.acquire().await.unwrap().forget();
            if all.iter().any(|question| question.number == 99) {
                return Err(sqlx::Error::PoolClosed);
            }
            Ok(all
                .iter()
                .map(|question| (question.number, round))
                .collect())
        }
    }

    /// Never connected: the questions of these tests need no MySQL.
    fn nowhere() -> MySqlPool {
        MySqlPoolOptions::new().connect_lazy_with(MySqlConnectOptions::new())
    }

    fn question(number: usize, asked: &Arc<Rounds>) -> Question {
        Question {
            number,
            asked: Arc::clone(asked),
        }
    }

    /// The first is under way alone, and these wait for the next rounds.
    async fn behind_the_first(
        gathered: &Gathered<Question>,
        asked: &Arc<Rounds>,
        numbers: &[usize],
    ) -> JoinSet<Result<(usize, usize), ApiError>> {
        let mut askers = JoinSet::new();
        for number in [0].iter().chain(numbers) {
            let (gathered, question) = (gathered.clone(), question(*number, asked));
            askers.spawn(async move { gathered.ask(&nowhere(), question).await });
            if *number == 0 {
                asked.begun.notified().await;
            }
        }
        while gathered.queue().waiting.len() < numbers.len() {
            tokio::task::yield_now().await;
        }
        askers
    }

    #[tokio::test]
    async fn what_comes_while_a_round_is_under_way_is_asked_in_the_next_so_many_at_once() {
        let (gathered, asked) = (Gathered::default(), Rounds::new());
        let askers = behind_the_first(&gathered, &asked, &[1, 2, 3, 4]).await;
        asked.leave.add_permits(3);
        let mut told: Vec<_> = askers.join_all().await.into_iter().flatten().collect();
        told.sort_unstable();
        assert_eq!(told, [(0, 0), (1, 1), (2, 1), (3, 1), (4, 2)]);
        assert!(!gathered.queue().is_asked, "the next one asks by itself");
    }

    #[tokio::test]
    async fn one_too_many_is_shed_and_an_error_is_told_to_its_round_alone() {
        let (gathered, asked) = (Gathered::default(), Rounds::new());
        let askers = behind_the_first(&gathered, &asked, &[99, 2, 3, 4, 5]).await;
        let shed = gathered.ask(&nowhere(), question(6, &asked)).await;
        assert!(matches!(shed, Err(ApiError::Unavailable(_))), "{shed:?}");
        asked.leave.add_permits(3);
        let told = askers.join_all().await;
        let (well, ill): (Vec<_>, Vec<_>) = told.into_iter().partition(Result::is_ok);
        let mut well: Vec<_> = well
            .into_iter()
            .flatten()
            .map(|(number, _)| number)
            .collect();
        well.sort_unstable();
        assert_eq!((well, ill.len()), (vec![0, 4, 5], 3));
        assert!(
            ill.iter()
                .all(|told| matches!(told, Err(ApiError::Unavailable(_))))
        );
    }

    #[tokio::test]
    async fn whoever_has_gone_keeps_nobody_from_an_answer() {
        let (gathered, asked) = (Gathered::default(), Rounds::new());
        let mut askers = behind_the_first(&gathered, &asked, &[1, 2]).await;
        askers.abort_all();
        while askers.join_next().await.is_some() {}
        asked.leave.add_permits(3);
        let told = gathered.ask(&nowhere(), question(7, &asked)).await.unwrap();
        assert_eq!(told.0, 7);
    }

    /// Asked alone, the first has no answer, the second panics, the third never ends; whoever else asks is answered.
    struct Odd(u8);

    impl Together for Odd {
        type Answer = u8;

        const AT_ONCE: usize = 8;
        const WAITING_MAX: usize = 8;

        async fn ask(_: &MySqlPool, all: &[Self]) -> sqlx::Result<Vec<u8>> {
            for Self(kind) in all {
                match kind {
                    1 => return Err(sqlx::Error::RowNotFound),
                    2 => panic!("as a library might"),
                    3 => std::future::pending().await,
                    _ => {}
                }
            }
            tokio::task::yield_now().await;
            Ok(all.iter().map(|Self(kind)| *kind).collect())
        }
    }

    #[tokio::test]
    async fn what_cannot_be_answered_keeps_nobody_else_from_an_answer() {
        let gathered = Gathered {
            bound: Duration::from_millis(50),
            ..Gathered::default()
        };
        let books = nowhere();
        let ask = |kind| gathered.ask(&books, Odd(kind));
        let (first, odd, well) = tokio::join!(ask(0), ask(1), ask(5));
        assert_eq!((first.unwrap(), well.unwrap()), (0, 5));
        assert!(matches!(odd, Err(ApiError::Internal(_))), "{odd:?}");
        for kind in [2, 3] {
            let ended = ask(kind).await;
            assert!(matches!(ended, Err(ApiError::Unavailable(_))), "{ended:?}");
            assert_eq!(ask(4).await.unwrap(), 4, "after {kind}");
        }
    }
}
