//! What the stage takes from its own environment; the only file here that reads it.
//! Children start from an empty environment plus this, so a variable of the developer's shell cannot change a test.

use std::env;
use std::ffi::OsString;

const INHERITED: [&str; 5] = ["PATH", "HOME", "LANG", "TMPDIR", "RUST_LOG"];

/// The variables that children inherit.
pub(crate) fn inherited_env() -> Vec<(OsString, OsString)> {
    INHERITED
        .iter()
        .filter_map(|name| Some((OsString::from(name), env::var_os(name)?)))
        .collect()
}

/// Where programs are looked for, unless the options name another path.
pub(crate) fn search_path() -> OsString {
    env::var_os("PATH").unwrap_or_default()
}
