//! `doorbuster-backoffice-drill`: the back-office with crash points, for `doorbuster-loadtest drill`. Never shipped.

use std::process::ExitCode;

fn main() -> ExitCode {
    doorbuster_backoffice::program::main()
}
