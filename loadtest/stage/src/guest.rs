//! Recipe of a program that the stage's owner brings along, such as a rival in a comparison. Called by `stage`.
//! It is started, watched and ended like the stage's own, as long as it answers `GET /livez` on 127.0.0.1.

use std::ffi::OsString;
use std::path::Path;

use anyhow::Result;

use crate::ours::Ours;
use crate::recipe::Recipe;
use crate::server::Server;

/// What stands for the port in a program's arguments and variables.
const PORT: &str = "{port}";

/// A server program of the owner's. In its arguments and the values of its variables `{port}` stands for its port.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    /// Unique in its stage; also the stem of its log's name.
    pub name: &'a str,
    /// The file to run.
    pub path: &'a Path,
    /// Its command line.
    pub args: &'a [&'a str],
    /// Variables beside `REDIS_URL`, `DATABASE_URL` and `TOKEN_SECRET`, which the stage sets.
    pub env: &'a [(&'a str, &'a str)],
    /// Where it shall listen on 127.0.0.1; `None`: on a port that the stage picks.
    pub port: Option<u16>,
}

impl Ours {
    pub(crate) fn start_guest(&self, program: &Program<'_>) -> Result<Server> {
        let recipe_for = |port| self.guest(program, port);
        match program.port {
            Some(port) => Server::start_on(recipe_for(port)),
            None => Server::start_on_free_port(recipe_for),
        }
    }

    fn guest(&self, program: &Program<'_>, port: u16) -> Recipe {
        let filled = |text: &str| OsString::from(text.replace(PORT, &port.to_string()));
        let mut env = self.common_env.clone();
        let extra = program.env.iter();
        env.extend(extra.map(|(name, value)| (OsString::from(name), filled(value))));
        Recipe {
            name: program.name.to_owned(),
            program: program.path.to_owned(),
            args: program.args.iter().map(|arg| filled(arg)).collect(),
            ..self.recipe(env, port)
        }
    }
}
