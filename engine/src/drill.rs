//! `doorbuster-engine-drill`: the engine with crash points and planted bugs, for `doorbuster-loadtest drill`. Never shipped.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    doorbuster_engine::main()
}
