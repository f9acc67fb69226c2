//! Crash points of this program, for drills; see `doorbuster_core::crash`. Builds without the feature `crash-points` have none: [`point`] is nothing.

#[cfg(not(feature = "crash-points"))]
#[inline(always)]
pub(crate) const fn point(_name: &'static str) {}

#[cfg(feature = "crash-points")]
pub(crate) fn point(name: &'static str) {
    use std::path::PathBuf;
    use std::sync::OnceLock;

    static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let file = FILE.get_or_init(crate::secret_config::crash_point_file);
    doorbuster_core::crash::point(file.as_deref(), name);
}
