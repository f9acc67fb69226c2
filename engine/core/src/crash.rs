//! Crash points: named places at which a drill ends a process, as kill -9 at that very line would.
//!
//! Only builds with the feature `crash-points` have this (`doorbuster-engine-drill`, `doorbuster-backoffice-drill`). A drill arms one place while
//! the process runs, by writing `name times` to a file: the process ends when it comes to that place for the so manieth
//! time since, and the file goes with it.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// What the file said last, and how often its place was passed since.
static SEEN: Mutex<(String, u64)> = Mutex::new((String::new(), 0));

/// The process is at the place `name`; `file` is where a drill arms places, if it may.
pub fn point(file: Option<&Path>, name: &'static str) {
    let Some(path) = file else { return };
    let Ok(text) = std::fs::read_to_string(path) else {
        return;
    };
    let mut words = text.split_whitespace();
    let (Some(armed), Some(Ok(times))) = (words.next(), words.next().map(str::parse::<u64>)) else {
        return;
    };
    if armed != name {
        return;
    }
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    if seen.0 != text {
        *seen = (text.clone(), 0);
    }
    seen.1 += 1;
    if seen.1 >= times {
        // So that the process that is started in its place is not armed.
        let _ = std::fs::remove_file(path);
        eprintln!("crash point {name}");
        std::process::abort();
    }
}
