//! `doorbuster-backoffice`: the program that is shipped.

use std::process::ExitCode;

fn main() -> ExitCode {
    doorbuster_backoffice::program::main()
}
