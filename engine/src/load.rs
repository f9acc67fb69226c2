//! Who is refused first when more is asked than can be answered: an adaptive limit on requests in flight, and the classes of
//! requests in the order in which they yield.
//!
//! In flight is what waits for a script call or is in one. There is no limit until some sale's queue stands
//! (`sale::patience`); then it is what fits into the wait that is aimed at, by Little's law: in flight now × target wait ÷
//! measured wait, at most halved in one step (the gradient of Netflix's concurrency-limits, with a target in the place of
//! its shortest round trip), and grows by a step at a time while the wait is short enough (AIMD: Chiu and Jain, 1989).
//! Once no queue stands and nobody is kept from one there is none again, so nobody has to be let in slowly. Each class has its share of the limit: as it
//! fills, those who are cheap to refuse and lose nothing by it are refused first, and what concerns a hold last. Priority
//! by business value, from queueing delay alone, is DAGOR's (Zhou et al., SoCC 2018).
//!
//! What is answered from memory never waits in a queue of ours, but for a thread: where whatever is ready waits that long,
//! the lowest classes are shut one by one, and opened again likewise.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use doorbuster_core::limits::BATCH_REQUESTS_MAX;
use metrics::{counter, gauge};

use crate::front::problem::Refusal;
use crate::limits::{DELAY_TARGET, IN_FLIGHT_MIN, IN_FLIGHT_STEP, LOAD_LOOK_EVERY, LOAD_LOOKS};
use crate::metrics as names;
use crate::threads::Threads;

/// What a request is for, those that yield first first. Confirming and paying are above all of them: the back-office asks
/// Redis itself, and meets no limit here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Looks at a sale.
    Browse,
    /// Takes a place in a line, or asks for it.
    Join,
    /// Reserves, or claims.
    Reserve,
    /// Cancels a hold, or looks what became of it.
    Cancel,
}

impl Class {
    /// What may be in flight for this class to be let in.
    fn share(self, limit: usize) -> usize {
        match self {
            Class::Browse => limit / 2,
            Class::Join => limit / 4 * 3,
            Class::Reserve => limit,
            Class::Cancel => limit.saturating_add(limit / 4),
        }
    }

    /// As the metric of what is shed names it.
    fn reason(self) -> &'static str {
        match self {
            Class::Browse => "load_browse",
            Class::Join => "load_join",
            Class::Reserve => "load_reserve",
            Class::Cancel => "load_cancel",
        }
    }
}

/// One process's.
#[derive(Debug)]
pub struct Load {
    in_flight: AtomicUsize,
    /// [`NONE`] while no queue stands.
    limit: AtomicUsize,
    /// Longest wait in a queue that stands, in µs, since the last look; 0 where none does.
    waited_us: AtomicU64,
    /// Whether the limit has kept somebody from a queue since the last look.
    kept_out: AtomicBool,
    /// So many of the lowest classes are shut because threads are late.
    shut: AtomicU8,
}

const NONE: usize = usize::MAX;
/// Browsing and joining: to refuse more would cost as much as to serve it.
const SHUT_MAX: u8 = 2;

impl Default for Load {
    fn default() -> Self {
        Self {
            in_flight: AtomicUsize::new(0),
            limit: AtomicUsize::new(NONE),
            waited_us: AtomicU64::new(0),
            kept_out: AtomicBool::new(false),
            shut: AtomicU8::new(0),
        }
    }
}

impl Load {
    /// A request at the door, before anything is done for it. Only for classes that take no place: the others are asked where
    /// they take it.
    pub(crate) fn admit(&self, class: Class) -> Result<(), Refusal> {
        let open = class as u8 >= self.shut.load(Ordering::Relaxed);
        if open && self.in_flight.load(Ordering::Relaxed) < self.share(class) {
            return Ok(());
        }
        Err(Self::shed(class))
    }

    /// A request that asks Redis by itself.
    pub(crate) fn place(&self, class: Class) -> Result<Places<'_>, Refusal> {
        let before = self.in_flight.fetch_add(1, Ordering::Relaxed);
        let place = Places { of: self, count: 1 };
        if before < self.share(class) {
            return Ok(place);
        }
        Err(Self::shed(class))
    }

    /// A request that is to wait in a queue of its sale behind `ahead` others; [`Load::decided`] gives its place back. Where not even a
    /// batch waits it is let in: one sale's crowd is not another's.
    pub(crate) fn queue(&self, class: Class, ahead: usize) -> Result<(), Refusal> {
        let before = self.in_flight.fetch_add(1, Ordering::Relaxed);
        if before < self.share(class) || ahead < BATCH_REQUESTS_MAX {
            return Ok(());
        }
        self.left(1);
        self.kept_out.store(true, Ordering::Relaxed);
        Err(Self::shed(class))
    }

    /// So many of a queue are decided once this is dropped.
    pub(crate) fn decided(&self, count: usize) -> Places<'_> {
        Places { of: self, count }
    }

    /// So many left their queue undecided.
    pub(crate) fn left(&self, count: usize) {
        self.in_flight.fetch_sub(count, Ordering::Relaxed);
    }

    /// Whoever has waited longest in a queue that stands, did so for so long.
    pub(crate) fn stands(&self, waited: Duration) {
        let us = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX).max(1);
        self.waited_us.fetch_max(us, Ordering::Relaxed);
    }

    fn share(&self, class: Class) -> usize {
        match self.limit.load(Ordering::Relaxed) {
            NONE => NONE,
            limit => class.share(limit),
        }
    }

    fn shed(class: Class) -> Refusal {
        counter!(names::SHED, "reason" => class.reason()).increment(1);
        Refusal::Overloaded
    }

    /// Looks at how long requests wait, as long as the process lives. How late threads are is how long whatever is ready waits
    /// for its front thread; one that is stuck for as long as a look is late (`limits`).
    pub(crate) async fn watch(&self, threads: &Threads) {
        let mut looks = Looks::default();
        loop {
            tokio::time::sleep(LOAD_LOOK_EVERY).await;
            let late = threads.longest_wait(LOAD_LOOK_EVERY).await;
            self.look(&mut looks, late);
            let limit = self.limit.load(Ordering::Relaxed);
            gauge!(names::IN_FLIGHT).set(self.in_flight.load(Ordering::Relaxed) as f64);
            gauge!(names::IN_FLIGHT_LIMIT).set(if limit == NONE { 0.0 } else { limit as f64 });
        }
    }

    fn look(&self, looks: &mut Looks, late: Duration) {
        let waited = Duration::from_micros(self.waited_us.swap(0, Ordering::Relaxed));
        // A queue that each call empties because others are kept from it is not calm.
        let kept_out = self.kept_out.swap(false, Ordering::Relaxed);
        looks.calm = if waited.is_zero() && !kept_out {
            looks.calm + 1
        } else {
            0
        };
        let (limit, in_flight) = (
            self.limit.load(Ordering::Relaxed),
            self.in_flight.load(Ordering::Relaxed),
        );
        let next = if looks.calm >= LOAD_LOOKS {
            NONE
        } else if waited > DELAY_TARGET {
            let from = limit.min(in_flight);
            let fits = in_flight as f64 * DELAY_TARGET.as_secs_f64() / waited.as_secs_f64();
            (fits as usize).clamp(from / 2, from).max(IN_FLIGHT_MIN)
        } else {
            limit.saturating_add(IN_FLIGHT_STEP)
        };
        self.limit.store(next, Ordering::Relaxed);

        looks.late = if late > DELAY_TARGET {
            looks.late + 1
        } else {
            0
        };
        let shut = self.shut.load(Ordering::Relaxed);
        let next = match looks.late {
            0 => shut.saturating_sub(1),
            late if late >= LOAD_LOOKS => (shut + 1).min(SHUT_MAX),
            _ => shut,
        };
        self.shut.store(next, Ordering::Relaxed);
    }
}

/// So many looks in a row have found no queue that stands, and threads that are late.
#[derive(Debug, Default)]
struct Looks {
    calm: u32,
    late: u32,
}

/// Places of requests in flight, given back on drop, also by a panic.
#[derive(Debug)]
pub(crate) struct Places<'a> {
    of: &'a Load,
    count: usize,
}

impl Drop for Places<'_> {
    fn drop(&mut self) {
        self.of.left(self.count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::ZERO;

    /// With so many in the queue of one sale.
    fn loaded(in_flight: usize) -> Load {
        let load = Load::default();
        (0..in_flight).for_each(|n| load.queue(Class::Reserve, n).unwrap());
        load
    }

    fn let_in(load: &Load) -> Vec<Class> {
        [Class::Browse, Class::Join, Class::Reserve, Class::Cancel]
            .into_iter()
            .filter(|class| load.admit(*class).is_ok())
            .collect()
    }

    #[test]
    fn nobody_is_refused_while_no_queue_stands() {
        let load = loaded(100_000);
        load.look(&mut Looks::default(), SOON);
        assert_eq!(let_in(&load).len(), 4);
        assert!(load.queue(Class::Reserve, 100_000).is_ok());
    }

    #[test]
    fn the_limit_becomes_what_fits_into_the_wait_aimed_at_and_classes_yield_in_their_order() {
        let (load, mut looks) = (loaded(10_000), Looks::default());
        load.stands(DELAY_TARGET.mul_f64(1.25));
        load.look(&mut looks, SOON);
        assert_eq!(load.limit.load(Ordering::Relaxed), 8_000);
        // 10,000 in flight are the edge of what cancelling may have: 8,000 and a quarter.
        assert_eq!(let_in(&load), []);
        load.left(1);
        assert_eq!(let_in(&load), [Class::Cancel]);
        load.left(2_000);
        assert_eq!(let_in(&load), [Class::Reserve, Class::Cancel]);
        load.left(2_000);
        assert_eq!(let_in(&load), [Class::Join, Class::Reserve, Class::Cancel]);
        load.left(2_000);
        assert_eq!(let_in(&load).len(), 4);
    }

    #[test]
    fn it_is_at_most_halved_at_once_has_a_floor_grows_by_steps_and_is_gone_once_no_queue_stands() {
        let (load, mut looks) = (loaded(10_000), Looks::default());
        let limit = || load.limit.load(Ordering::Relaxed);
        load.stands(DELAY_TARGET * 100);
        load.look(&mut looks, SOON);
        assert_eq!(limit(), 5_000);
        for _ in 0..10 {
            load.stands(DELAY_TARGET * 100);
            load.look(&mut looks, SOON);
        }
        assert_eq!(limit(), IN_FLIGHT_MIN);
        load.stands(DELAY_TARGET);
        load.look(&mut looks, SOON);
        assert_eq!(limit(), IN_FLIGHT_MIN + IN_FLIGHT_STEP);
        (1..LOAD_LOOKS).for_each(|_| load.look(&mut looks, SOON));
        assert!(limit() < NONE, "one long call says nothing yet");
        load.look(&mut looks, SOON);
        assert_eq!(limit(), NONE);
    }

    #[test]
    fn there_is_a_limit_as_long_as_it_keeps_somebody_out() {
        let (load, mut looks) = (loaded(IN_FLIGHT_MIN), Looks::default());
        load.stands(DELAY_TARGET * 2);
        load.look(&mut looks, SOON);
        for so_many in 1..=10 {
            while load.queue(Class::Reserve, BATCH_REQUESTS_MAX).is_ok() {}
            load.look(&mut looks, SOON);
            let limit = load.limit.load(Ordering::Relaxed);
            assert_eq!(limit, IN_FLIGHT_MIN + so_many * IN_FLIGHT_STEP);
        }
        (0..LOAD_LOOKS).for_each(|_| load.look(&mut looks, SOON));
        assert_eq!(load.limit.load(Ordering::Relaxed), NONE);
    }

    #[test]
    fn a_sale_without_a_queue_is_not_refused_for_the_crowd_of_another() {
        let (load, mut looks) = (loaded(10_000), Looks::default());
        load.stands(DELAY_TARGET * 2);
        load.look(&mut looks, SOON);
        assert_eq!(
            load.queue(Class::Reserve, BATCH_REQUESTS_MAX),
            Err(Refusal::Overloaded)
        );
        assert_eq!(load.queue(Class::Reserve, BATCH_REQUESTS_MAX - 1), Ok(()));
        load.left(1);
        assert_eq!(load.in_flight.load(Ordering::Relaxed), 10_000);
    }

    #[test]
    fn late_threads_shut_browsing_then_joining_and_nothing_else_and_open_them_again() {
        let (load, mut looks) = (Load::default(), Looks::default());
        let late = DELAY_TARGET + Duration::from_millis(1);
        (1..LOAD_LOOKS).for_each(|_| load.look(&mut looks, late));
        assert_eq!(let_in(&load).len(), 4, "a moment is no overload");
        load.look(&mut looks, late);
        assert_eq!(let_in(&load), [Class::Join, Class::Reserve, Class::Cancel]);
        (0..5).for_each(|_| load.look(&mut looks, late));
        assert_eq!(let_in(&load), [Class::Reserve, Class::Cancel]);
        load.look(&mut looks, DELAY_TARGET);
        load.look(&mut looks, DELAY_TARGET);
        assert_eq!(let_in(&load).len(), 4);
    }

    #[test]
    fn a_place_is_given_back_also_by_those_who_are_refused() {
        let load = loaded(0);
        let place = load.place(Class::Cancel).unwrap();
        assert_eq!(load.in_flight.load(Ordering::Relaxed), 1);
        drop(place);
        load.limit.store(0, Ordering::Relaxed);
        assert_eq!(load.place(Class::Cancel).unwrap_err(), Refusal::Overloaded);
        assert_eq!(load.in_flight.load(Ordering::Relaxed), 0);
    }
}
