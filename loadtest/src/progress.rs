//! How a run is coming on, on standard error: one line that changes on a terminal, a line a second elsewhere.

use std::io::{IsTerminal, Write, stderr};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::client::course::Market;
use crate::config::Colour;
use crate::tally::Counts;

const TERMINAL_STEP: Duration = Duration::from_millis(100);
const PLAIN_STEP: Duration = Duration::from_secs(1);

/// The task that reports; ended by [`Progress::finish`].
#[derive(Debug)]
pub struct Progress {
    task: JoinHandle<()>,
    line: Line,
    market: Arc<Market>,
}

/// How the line is written and what it counts against.
#[derive(Debug, Clone, Copy)]
struct Line {
    on_terminal: bool,
    colour: Colour,
    errands: u64,
    stock: u64,
    quantity: u64,
}

/// What the crowd is after.
#[derive(Debug, Clone, Copy)]
pub struct Goal {
    pub errands: u64,
    pub stock: u64,
    pub quantity: u64,
}

impl Progress {
    pub fn start(market: Arc<Market>, goal: Goal, colour: Colour) -> Self {
        let Goal {
            errands,
            stock,
            quantity,
        } = goal;
        let line = Line {
            on_terminal: stderr().is_terminal(),
            colour,
            errands,
            stock,
            quantity,
        };
        let watched = Arc::clone(&market);
        let task = tokio::spawn(async move {
            let mut ticks = interval(if line.on_terminal {
                TERMINAL_STEP
            } else {
                PLAIN_STEP
            });
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            ticks.tick().await;
            loop {
                ticks.tick().await;
                line.write(watched.tally.counts());
            }
        });
        Self { task, line, market }
    }

    /// Writes the last line and ends.
    pub fn finish(self) {
        self.task.abort();
        self.line.write(self.market.tally.counts());
        if self.line.on_terminal {
            eprintln!();
        }
    }
}

impl Line {
    fn write(self, counts: Counts) {
        let text = self.text(counts);
        // A closed standard error is no reason to stop a run.
        let _ = match (self.on_terminal, self.colour) {
            (true, Colour::On) => write!(stderr(), "\r\x1b[2K\x1b[2m{text}\x1b[0m"),
            (true, Colour::Off) => write!(stderr(), "\r{text:<100}"),
            (false, _) => writeln!(stderr(), "{text}"),
        };
    }

    fn text(self, counts: Counts) -> String {
        let Counts {
            sent,
            accepted,
            refused,
            unanswered,
            cancelled,
        } = counts;
        let done = accepted + refused + unanswered;
        let gone = accepted.saturating_sub(cancelled) * self.quantity;
        let left = self.stock.saturating_sub(gone);
        let gave_up = if unanswered > 0 {
            format!(" · {unanswered} gave up")
        } else {
            String::new()
        };
        format!(
            "  {done}/{} answered · {sent} sent · {accepted} accepted · {refused} refused · {left} left{gave_up}",
            self.errands
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_counts_what_is_left() {
        let line = Line {
            on_terminal: false,
            colour: Colour::Off,
            errands: 100,
            stock: 30,
            quantity: 2,
        };
        let counts = Counts {
            sent: 50,
            accepted: 12,
            refused: 20,
            unanswered: 1,
            cancelled: 2,
        };
        assert_eq!(
            line.text(counts),
            "  33/100 answered · 50 sent · 12 accepted · 20 refused · 10 left · 1 gave up"
        );
    }
}
