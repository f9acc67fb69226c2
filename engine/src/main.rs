//! `doorbuster-engine`: the program that is shipped.

use std::process::ExitCode;

/// A request makes some thirty short-lived allocations, and a reservation's answer often frees on another thread than the
/// one that made them: measured in PERFORMANCE.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    doorbuster_engine::main()
}
