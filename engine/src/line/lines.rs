//! The lines at hand. They outlive what the front remembers of their sales: who waits is in them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use doorbuster_core::ids::LiveId;
use doorbuster_core::line::LineConfig;

use super::{Line, Setting};
use crate::front::problem::Refusal;
use crate::limits::LINES_MAX;

#[derive(Debug, Default)]
pub(crate) struct Lines(Mutex<HashMap<LiveId, Arc<Line>>>);

impl Lines {
    /// The line of that sale, a new one where there was none.
    ///
    /// # Errors
    /// [`Refusal::Overloaded`] where there are too many.
    pub(crate) fn of(
        &self,
        setting: &Setting<'_>,
        config: LineConfig,
    ) -> Result<Arc<Line>, Refusal> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get(setting.live) {
            return Ok(Arc::clone(line));
        }
        if lines.len() >= LINES_MAX {
            // Whose sale the front has forgotten for want of questions, and which nobody waits in.
            lines.retain(|_, line| Arc::strong_count(line) > 1 || !line.is_idle());
        }
        if lines.len() >= LINES_MAX {
            return Err(Refusal::Overloaded);
        }
        let line = Arc::new(Line::new(setting, config));
        lines.insert(setting.live.clone(), Arc::clone(&line));
        Ok(line)
    }
}
