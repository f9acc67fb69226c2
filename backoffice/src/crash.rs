//! Crash points: named places at which a drill ends this process, as kill -9 at that very line would.
//!
//! Only builds with the feature `crash-points` have them (`doorbuster-backoffice-drill`); in all others [`point`] is nothing.
//! A drill arms one while the process runs, by writing `name times` to the file that `CRASH_POINT_FILE` names: the process
//! ends when it comes to that place for the so manieth time since, and the file goes with it.

#[cfg(not(feature = "crash-points"))]
#[inline(always)]
pub(crate) const fn point(_name: &'static str) {}

#[cfg(feature = "crash-points")]
pub(crate) use armed::point;

#[cfg(feature = "crash-points")]
mod armed {
    use std::path::PathBuf;
    use std::sync::{Mutex, OnceLock, PoisonError};

    use crate::secret_config;

    /// What the file said last, and how often its place was passed since.
    static SEEN: Mutex<(String, u64)> = Mutex::new((String::new(), 0));

    fn file() -> Option<&'static PathBuf> {
        static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();
        FILE.get_or_init(secret_config::crash_point_file).as_ref()
    }

    pub(crate) fn point(name: &'static str) {
        let Some(path) = file() else { return };
        let Ok(text) = std::fs::read_to_string(path) else {
            return;
        };
        let mut words = text.split_whitespace();
        let (Some(armed), Some(Ok(times))) = (words.next(), words.next().map(str::parse::<u64>))
        else {
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
}
