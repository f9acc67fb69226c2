//! The combiner: turns the requests that wait for one sale into one script call.
//!
//! Group commit without a timer: while a call is under way the next batch gathers, and a free slot takes all that waits,
//! up to a cap. One round trip and one fsync serve many buyers; a lone request waits for nobody. A full queue sheds at
//! once, a queue that stays long sheds those who waited too long and lets in fewer (`crate::load`). Each request is sent at most once: one whose buyer
//! has given up before its turn is dropped unsent, and one whose call stays unanswered is *unknown* to its buyer, whose
//! repetition resolves it.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::time::{Duration, Instant};

use crossbeam::queue::SegQueue;
use doorbuster_core::clock;
use doorbuster_core::gate::Fenced;
use doorbuster_core::ids::LiveId;
use doorbuster_core::limits::{BATCH_LINES_MAX, BATCH_REQUESTS_MAX};
use metrics::{Gauge, Histogram, counter, gauge, histogram};
use tokio::sync::oneshot;

use super::patience::Patience;
use crate::crash;
use crate::front::problem::{Refusal, UNKNOWN};
use crate::limits::{
    CALL_TIMEOUT, CALLS_PER_SALE_MAX, QUEUE_REQUESTS_MAX, QUEUE_WAIT_STANDING_MAX,
};
use crate::load::Class;
use crate::metrics as names;
use crate::pressure::Pressure;
use crate::threads::{Home, Threads};

/// Decides a batch: one script call.
pub(crate) trait Decide: Send + Sync + 'static {
    /// The metric of how many wait.
    const DEPTH: &'static str = names::QUEUE_DEPTH;
    /// How early its requests yield when there is too much to do.
    const CLASS: Class = Class::Reserve;

    type Request: Send + Sync + 'static;
    type Outcome: Send + 'static;

    /// What a request adds to a batch's lines.
    fn lines(request: &Self::Request) -> usize;

    /// What this process is under.
    fn pressure(&self) -> &Pressure;

    /// What a batch waits before it is decided.
    fn pace(&self) -> Duration {
        self.pressure().pace()
    }

    /// A request was shed.
    fn shed(&self) {
        self.pressure().shed();
    }

    /// One outcome per request, in order.
    fn decide(
        &self,
        requests: &[&Self::Request],
    ) -> impl Future<Output = Result<Verdict<Self::Outcome>, Undecided>> + Send;
}

/// A decided batch.
#[derive(Debug)]
pub(crate) struct Verdict<O> {
    pub(crate) now_ms: u64,
    pub(crate) epoch: u32,
    pub(crate) seq: u64,
    pub(crate) outcomes: Vec<O>,
}

/// One request's part of it.
#[derive(Debug)]
pub struct Answered<O> {
    /// Redis time of the decision.
    pub now_ms: u64,
    pub epoch: u32,
    /// Where the sale stood after it.
    pub seq: u64,
    pub outcome: O,
}

/// Why a batch was not decided, or is not known to be.
#[derive(Debug, Clone)]
pub(crate) enum Undecided {
    Fenced(Fenced),
    Refused(Refusal),
}

/// The queue of one sale and the slots that empty it.
#[derive(Debug)]
pub(crate) struct Combiner<D: Decide> {
    decide: D,
    /// Batches are decided on the gate thread.
    threads: Arc<Threads>,
    /// Takes memory as it fills: most sales at hand have nobody waiting. `waiting` bounds it.
    queue: SegQueue<Waiting<D>>,
    waiting: AtomicUsize,
    free_slots: AtomicUsize,
    patience: Patience,
    depth: Gauge,
    batch_requests: Histogram,
}

#[derive(Debug)]
struct Waiting<D: Decide> {
    request: Arc<D::Request>,
    since: Instant,
    home: Home,
    answer: oneshot::Sender<Result<Answered<D::Outcome>, Undecided>>,
}

impl<D: Decide> Combiner<D> {
    pub(crate) fn new(live: &LiveId, decide: D, threads: Arc<Threads>) -> Self {
        Self {
            decide,
            threads,
            queue: SegQueue::new(),
            waiting: AtomicUsize::new(0),
            free_slots: AtomicUsize::new(CALLS_PER_SALE_MAX),
            patience: Patience::new(clock::instant()),
            depth: gauge!(D::DEPTH, "sale" => live.book_id()),
            batch_requests: histogram!(names::BATCH_REQUESTS),
        }
    }

    /// Waits for the request's outcome: until a slot is free, which a call's own bound bounds, and then for one call.
    pub(crate) async fn submit(
        self: &Arc<Self>,
        request: Arc<D::Request>,
    ) -> Result<Answered<D::Outcome>, Undecided> {
        let since = clock::instant();
        let ahead = self.waiting.fetch_add(1, Ordering::AcqRel);
        let let_in = if ahead < QUEUE_REQUESTS_MAX {
            self.decide.pressure().load.queue(D::CLASS, ahead)
        } else {
            counter!(names::SHED, "reason" => "queue").increment(1);
            Err(Refusal::Overloaded)
        };
        if let Err(refusal) = let_in {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            self.decide.shed();
            return Err(Undecided::Refused(refusal));
        }
        let (answer, answered) = oneshot::channel();
        self.queue.push(Waiting {
            request,
            since,
            home: Home::here(),
            answer,
        });
        // Either this sees the slot that is given back, or who gives it back sees what was pushed.
        fence(Ordering::SeqCst);
        if let Some(slot) = self.take_slot() {
            self.threads.gate().spawn(slot.empty_the_queue());
        }
        answered.await.unwrap_or(Err(Undecided::Refused(UNKNOWN)))
    }

    fn take_slot(self: &Arc<Self>) -> Option<Slot<D>> {
        let taken = self
            .free_slots
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |free| {
                free.checked_sub(1)
            });
        taken.is_ok().then(|| Slot(Arc::clone(self)))
    }

    /// All that waits, up to the caps. A request that would overflow the lines stays in `carried` and leads the next batch.
    fn batch(&self, now: Instant, carried: &mut Option<Waiting<D>>) -> Vec<Waiting<D>> {
        let (mut batch, mut lines) = (Vec::new(), 0);
        // Counted here and told once: it is shared by all who submit.
        let (mut popped, mut left, mut longest) = (0, 0, Duration::ZERO);
        let mut serves_all = true;
        while batch.len() < BATCH_REQUESTS_MAX {
            let next = carried.take().or_else(|| {
                let next = self.queue.pop();
                popped += usize::from(next.is_some());
                next
            });
            let Some(waiting) = next else {
                break;
            };
            let waited = now.saturating_duration_since(waiting.since);
            // Of those who hung up too: so long the queue is.
            longest = longest.max(waited);
            if waiting.answer.is_closed() {
                left += 1;
                serves_all &= waited <= QUEUE_WAIT_STANDING_MAX;
                continue;
            }
            if waited > self.patience.at(now) {
                left += 1;
                serves_all = false;
                counter!(names::SHED, "reason" => "queue_wait").increment(1);
                self.decide.shed();
                let _ = waiting
                    .answer
                    .send(Err(Undecided::Refused(Refusal::Overloaded)));
                continue;
            }
            lines += D::lines(&waiting.request);
            if lines > BATCH_LINES_MAX {
                *carried = Some(waiting);
                break;
            }
            batch.push(waiting);
        }
        self.waiting.fetch_sub(popped, Ordering::AcqRel);
        serves_all &= carried.is_none() && self.queue.is_empty();
        self.patience.taken(now, serves_all);
        let load = &self.decide.pressure().load;
        load.left(left);
        if self.patience.stands(now) {
            load.stands(longest);
        }
        batch
    }

    async fn decide_batch(&self, batch: Vec<Waiting<D>>) {
        let _places = self.decide.pressure().load.decided(batch.len());
        self.batch_requests
            .record(u32::try_from(batch.len()).unwrap_or(u32::MAX));
        let requests: Vec<&D::Request> = batch.iter().map(|waiting| &*waiting.request).collect();
        crash::point("front.before_call");
        let decided = tokio::time::timeout(CALL_TIMEOUT, self.decide.decide(&requests)).await;
        crash::point("front.after_call");
        let undecided = match decided {
            Ok(Ok(Verdict {
                now_ms,
                epoch,
                seq,
                outcomes,
            })) => {
                let answered = outcomes.into_iter().map(|outcome| {
                    Ok(Answered {
                        now_ms,
                        epoch,
                        seq,
                        outcome,
                    })
                });
                return self.tell(batch, answered);
            }
            Ok(Err(undecided)) => undecided,
            Err(_) => {
                counter!(names::SHED, "reason" => "timeout").increment(batch.len() as u64);
                Undecided::Refused(UNKNOWN)
            }
        };
        self.tell(batch, std::iter::repeat_with(|| Err(undecided.clone())));
    }

    fn tell(
        &self,
        batch: Vec<Waiting<D>>,
        answers: impl Iterator<Item = Result<Answered<D::Outcome>, Undecided>>,
    ) {
        let told = batch.into_iter().zip(answers);
        self.threads
            .tell(told.map(|(waiting, answer)| (waiting.home, waiting.answer, answer)));
    }
}

/// The right to have one call under way; given back on drop, also by a panic.
struct Slot<D: Decide>(Arc<Combiner<D>>);

impl<D: Decide> Slot<D> {
    async fn empty_the_queue(self) {
        let combiner = Arc::clone(&self.0);
        let mut held = Some(self);
        while let Some(slot) = held {
            let mut carried = None;
            loop {
                let pace = combiner.decide.pace();
                if !pace.is_zero() {
                    tokio::time::sleep(pace).await;
                }
                let batch = combiner.batch(clock::instant(), &mut carried);
                if batch.is_empty() {
                    break;
                }
                combiner.decide_batch(batch).await;
                combiner.depth.set(combiner.queue.len() as f64);
            }
            // Whoever pushed while we held the last slot found none free: look once more after giving it back.
            drop(slot);
            fence(Ordering::SeqCst);
            held = if combiner.queue.is_empty() {
                None
            } else {
                combiner.take_slot()
            };
        }
    }
}

impl<D: Decide> Drop for Slot<D> {
    fn drop(&mut self) {
        self.0.free_slots.fetch_add(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use doorbuster_core::ids::SaleId;

    use super::*;
    use crate::limits::{QUEUE_STANDS_AFTER, QUEUE_WAIT_MAX};

    #[derive(Debug, Default)]
    struct Never(Pressure);

    impl Decide for Never {
        type Request = ();
        type Outcome = ();

        fn lines((): &()) -> usize {
            1
        }

        fn pressure(&self) -> &Pressure {
            &self.0
        }

        async fn decide(&self, _: &[&()]) -> Result<Verdict<()>, Undecided> {
            std::future::pending().await
        }
    }

    #[tokio::test]
    async fn a_queue_stands_also_where_sending_people_away_empties_it() {
        let live = LiveId::Sale(SaleId::parse("s").unwrap());
        let combiner = Combiner::new(&live, Never::default(), Threads::all_here());
        let (start, mut heard) = (clock::instant(), Vec::new());
        let mut batch_of = |waited: Duration, now: Instant| {
            let (answer, answered) = oneshot::channel();
            heard.push(answered);
            combiner.queue.push(Waiting {
                request: Arc::new(()),
                since: now - waited,
                home: Home::here(),
                answer,
            });
            combiner.batch(now, &mut None).len()
        };
        let too_long = QUEUE_WAIT_MAX + Duration::from_millis(1);
        assert_eq!(batch_of(too_long, start), 0);
        assert!(!combiner.patience.stands(start));
        let later = start + QUEUE_STANDS_AFTER + Duration::from_millis(2);
        assert_eq!(batch_of(too_long, later), 0);
        assert!(combiner.patience.stands(later));
        assert_eq!(batch_of(Duration::ZERO, later), 1);
        assert!(!combiner.patience.stands(later));
    }

    #[tokio::test]
    async fn those_who_gave_up_waiting_were_not_served() {
        let live = LiveId::Sale(SaleId::parse("s").unwrap());
        let combiner = Combiner::new(&live, Never::default(), Threads::all_here());
        let mut now = clock::instant();
        for stands in [false, true] {
            let (answer, _) = oneshot::channel();
            combiner.queue.push(Waiting {
                request: Arc::new(()),
                since: now - QUEUE_WAIT_STANDING_MAX - Duration::from_millis(1),
                home: Home::here(),
                answer,
            });
            assert_eq!(combiner.batch(now, &mut None).len(), 0);
            assert_eq!(combiner.patience.stands(now), stands);
            now += QUEUE_STANDS_AFTER + Duration::from_millis(2);
        }
    }
}
