//! Does one part of the purchase path so many times and nothing else, for `count.sh` to count its instructions.

mod parts;

use std::process::ExitCode;

use parts::Parts;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let (Some(name), Some(times)) = (args.next(), args.next().and_then(|n| n.parse::<u64>().ok()))
    else {
        // As `cargo bench` calls it: the names, for the script.
        for (name, ..) in Parts::ALL {
            println!("{name}");
        }
        return ExitCode::SUCCESS;
    };
    let parts = Parts::new();
    let Some((_, _, part)) = Parts::ALL.into_iter().find(|(known, ..)| *known == name) else {
        eprintln!("counts: no part is called {name}");
        return ExitCode::from(64);
    };
    for _ in 0..times {
        part(&parts);
    }

    ExitCode::SUCCESS
}
