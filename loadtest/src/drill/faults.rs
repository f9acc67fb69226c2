//! The faults, by the numbers under which they are known: what each does, and what it strikes.

/// What a fault strikes. Combinations never strike the same thing twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Front,
    Writer,
    Redis,
    Books,
    Wire,
    Till,
}

/// How a fault is drilled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Strikes while buyers come, heals, and nothing is lost; also in combinations.
    Strike,
    /// Redis loses what it has acknowledged: that must be noticed, and nothing sold.
    Loss,
    /// A storm of retries.
    Storm,
    /// Two to four strikes at once.
    Combined,
}

/// One fault.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
    pub(crate) part: Part,
    pub(crate) kind: Kind,
    /// Unless asked otherwise.
    pub(crate) cycles: u32,
    /// Strikes in one round.
    pub(crate) per_round: u32,
    /// Whether buyers pay for what they hold.
    pub(crate) pays: bool,
}

const fn strike(
    id: &'static str,
    part: Part,
    name: &'static str,
    text: &'static str,
    [cycles, per_round]: [u32; 2],
) -> Fault {
    Fault {
        id,
        name,
        text,
        part,
        kind: Kind::Strike,
        cycles,
        per_round,
        pays: false,
    }
}

const fn loss(id: &'static str, name: &'static str, text: &'static str, cycles: u32) -> Fault {
    Fault {
        kind: Kind::Loss,
        ..strike(id, Part::Redis, name, text, [cycles, 1])
    }
}

/// In the order in which `--all` drills them.
pub(crate) const FAULTS: &[Fault] = &[
    strike(
        "F1",
        Part::Front,
        "engine killed",
        "kill -9 of a front, at once or at a crash point between Redis and the answer",
        [8, 4],
    ),
    strike(
        "F2",
        Part::Front,
        "engine frozen",
        "SIGSTOP of a front for seconds, then SIGCONT: what it was doing arrives late",
        [2, 1],
    ),
    strike(
        "F3",
        Part::Writer,
        "writer killed",
        "a writer ends at a crash point: before and after the read, in the transaction, around commit, trim, vouch and sweep",
        [9, 3],
    ),
    strike(
        "F4",
        Part::Writer,
        "zombie writer",
        "SIGSTOP of a writer past its session's life; the other takes over within 10 s, and the zombie writes nothing",
        [1, 1],
    ),
    strike(
        "F5",
        Part::Redis,
        "redis killed",
        "kill -9 of Redis, and a restart with its append-only file",
        [6, 3],
    ),
    strike(
        "F6",
        Part::Redis,
        "power cut",
        "the same, and only what was fsynced is still there",
        [6, 3],
    ),
    loss(
        "F7",
        "power cut, everysec",
        "the negative control: what Redis acknowledged is gone from it, which must be noticed",
        2,
    ),
    loss("F8", "redis wiped", "its data directory is emptied", 2),
    strike(
        "F9",
        Part::Redis,
        "torn file",
        "a power cut that leaves half a write, or a file with a bad byte, which Redis refuses until it is restored",
        [4, 2],
    ),
    loss(
        "F10",
        "failover",
        "a replica is promoted: an up-to-date one keeps every acknowledgement, a stale one is noticed and never sold from",
        4,
    ),
    strike(
        "F12",
        Part::Books,
        "mysql away",
        "kill -9 of the database, and a restart after a minute: the sale goes on, and the books catch up within 30 s",
        [1, 1],
    ),
    strike(
        "F13",
        Part::Books,
        "mysql in trouble",
        "slow wires, locks held by a person, commits that hang, deadlocks, read-only, no connections, tiny packets, sessions ended",
        [8, 4],
    ),
    strike(
        "F14",
        Part::Wire,
        "partition",
        "a wire refuses, resets, swallows all, slows down, dribbles bytes, or loses replies only",
        [12, 4],
    ),
    strike(
        "F15",
        Part::Redis,
        "disk full",
        "half of a write of the append-only file fits: Redis ends, and comes back once there is room",
        [2, 2],
    ),
    strike(
        "F16",
        Part::Redis,
        "clock jump",
        "the clock of Redis jumps by hours or a day: forward it stops the sale, backward nothing happens; or an engine's is wrong",
        [8, 2],
    ),
    strike(
        "F17",
        Part::Front,
        "rolling restart",
        "SIGTERM, or SIGTERM and SIGKILL a second later, to one program after the other; a drain ends within 10 s",
        [4, 4],
    ),
    Fault {
        kind: Kind::Storm,
        ..strike(
            "F20",
            Part::Redis,
            "retry storm",
            "hundreds look without pause, and buyers get their 90 %; Redis hangs while hundreds ask again at once, and they are back at it within 10 s",
            [1, 1],
        )
    },
    strike(
        "F21",
        Part::Wire,
        "duplicates",
        "every request is sent four times, and answers are lost on their way to clients",
        [3, 3],
    ),
    strike(
        "F22",
        Part::Redis,
        "redis out of memory",
        "maxmemory is reached: nobody is told sold out, holds can be cancelled, and it goes on when there is room",
        [2, 2],
    ),
    strike(
        "F24",
        Part::Front,
        "no file descriptors",
        "a front may open no more files while idle connections flood it",
        [2, 2],
    ),
    strike(
        "F25",
        Part::Redis,
        "redis slow",
        "every fsync takes longer while the file is rewritten, or a person's script runs for seconds",
        [2, 2],
    ),
    Fault {
        pays: true,
        ..strike(
            "F26",
            Part::Till,
            "payments",
            "buyers pay at a provider that declines, times out after capture, answers 500, doubles and delays webhooks, hangs and is away; a back-office ends at every step of an order",
            [44, 11],
        )
    },
    strike(
        "F27",
        Part::Redis,
        "wrong settings",
        "an operator sets Redis below the ack level: engines notice within seconds and refuse until it is set right",
        [3, 3],
    ),
    loss(
        "F27b",
        "operator error",
        "FLUSHALL, an append-only file of before restored, the stock's key deleted: noticed, and never sold from",
        6,
    ),
    Fault {
        kind: Kind::Combined,
        ..strike(
            "F28",
            Part::Wire,
            "combined",
            "two to four of the strikes above at once",
            [4, 1],
        )
    },
];

/// No fault at all: what planted bugs that need none are caught by.
pub(crate) static CALM: Fault = strike("calm", Part::Front, "calm", "buyers alone", [1, 1]);

/// The fault of this name, whatever its case.
pub(crate) fn named(id: &str) -> Option<&'static Fault> {
    FAULTS
        .iter()
        .find(|fault| fault.id.eq_ignore_ascii_case(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_a_name_of_its_own() {
        for fault in FAULTS {
            assert_eq!(
                FAULTS.iter().filter(|other| other.id == fault.id).count(),
                1
            );
            assert_eq!(
                named(&fault.id.to_lowercase()).map(|found| found.id),
                Some(fault.id)
            );
            assert!(fault.per_round >= 1 && fault.cycles >= 1);
        }
        assert!(named("F99").is_none());
    }
}
