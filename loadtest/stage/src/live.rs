//! Recipe of the private Redis that holds live sales, with the settings that the engine's self-check asks for, and of its
//! replica.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::guardian::Ground;
use crate::limits::REDIS_START_BOUND;
use crate::options::StageOptions;
use crate::probe::Probe;
use crate::recipe::{Recipe, env_entries};
use crate::server::Server;

pub(crate) fn start(ground: &Ground, options: &StageOptions, program: &Path) -> Result<Server> {
    make_data(ground, PRIMARY)?;
    Server::start_on_free_port(|port| recipe(ground, options, program.to_owned(), port))
}

/// Copies what the primary on that port has.
pub(crate) fn start_replica(
    ground: &Ground,
    options: &StageOptions,
    program: &Path,
    primary_port: u16,
) -> Result<Server> {
    make_data(ground, REPLICA)?;
    Server::start_on_free_port(|port| {
        let primary_port = primary_port.to_string();
        let of = ["--replicaof", "127.0.0.1", &primary_port].map(str::to_owned);
        let args = args(ground, options, REPLICA, port).into_iter().chain(of);
        Recipe {
            name: REPLICA.to_owned(),
            args: args.map(Into::into).collect(),
            ..recipe(ground, options, program.to_owned(), port)
        }
    })
}

fn make_data(ground: &Ground, name: &str) -> Result<()> {
    let data = ground.dir().join(name);
    std::fs::create_dir(data).with_context(|| format!("the directory of {name} cannot be made"))
}

/// Their names, and those of their directories.
const PRIMARY: &str = "redis";
const REPLICA: &str = "redis-replica";

fn recipe(ground: &Ground, options: &StageOptions, program: PathBuf, port: u16) -> Recipe {
    let mut env = ground.env();
    env.extend(env_entries(&options.redis_env));
    Recipe {
        name: PRIMARY.to_owned(),
        program,
        args: args(ground, options, PRIMARY, port)
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

fn args(ground: &Ground, options: &StageOptions, name: &str, port: u16) -> Vec<String> {
    let data = ground.dir().join(name);
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
        // A replica that comes is given its copy at once, not in company with others that might come too.
        ("--repl-diskless-sync-delay", "0"),
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
