//! Recipe of the private Redis that holds live sales, with the settings that the engine's self-check asks for.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::guardian::Ground;
use crate::limits::REDIS_START_BOUND;
use crate::options::StageOptions;
use crate::probe::Probe;
use crate::recipe::{Recipe, env_entries};
use crate::server::Server;

pub(crate) fn start(ground: &Ground, options: &StageOptions, program: &Path) -> Result<Server> {
    let data = ground.dir().join("redis");
    std::fs::create_dir(&data).context("the directory of Redis cannot be made")?;
    Server::start_on_free_port(|port| recipe(ground, options, program.to_owned(), port))
}

fn recipe(ground: &Ground, options: &StageOptions, program: PathBuf, port: u16) -> Recipe {
    let mut env = ground.env();
    env.extend(env_entries(&options.redis_env));
    Recipe {
        name: "redis".to_owned(),
        program,
        args: args(ground, options, port)
            .into_iter()
            .map(Into::into)
            .collect(),
        env,
        dir: ground.dir().to_owned(),
        port,
        url: format!("redis://127.0.0.1:{port}"),
        probe: Probe::Redis,
        start_bound: REDIS_START_BOUND,
    }
}

fn args(ground: &Ground, options: &StageOptions, port: u16) -> Vec<String> {
    let data = ground.dir().join("redis");
    let appendfsync = match options.ack_level.as_str() {
        "memory" => "everysec",
        _ => "always",
    };
    [
        ("--port", port.to_string().as_str()),
        ("--bind", "127.0.0.1"),
        ("--dir", &data.to_string_lossy()),
        ("--appendonly", "yes"),
        ("--appendfsync", appendfsync),
        ("--save", ""),
        ("--maxmemory-policy", "noeviction"),
        ("--enable-debug-command", "no"),
        // A changed title would overwrite the environment, and with it the mark that the guardian looks for.
        ("--set-proc-title", "no"),
    ]
    .into_iter()
    .flat_map(|(name, value)| [name.to_owned(), value.to_owned()])
    .collect()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::ffi::OsStr;

    use super::*;
    use crate::config;
    use crate::programs::SearchPath;

    #[test]
    fn a_port_that_another_redis_was_quicker_to_take_is_given_up() {
        let ground = Ground::new().unwrap();
        let options = StageOptions::redis_only();
        let path: &OsStr = &config::search_path();
        let program = SearchPath::with_sbin(path).redis_server().unwrap();
        let quicker = start(&ground, &options, &program).unwrap();
        let starts = Cell::new(0);

        let ours = Server::start_on_free_port(|port| {
            starts.set(starts.get() + 1);
            let port = if starts.get() == 1 {
                quicker.port()
            } else {
                port
            };
            recipe(&ground, &options, program.clone(), port)
        });

        assert_eq!(starts.get(), 2);
        assert_ne!(ours.unwrap().port(), quicker.port());
    }
}
