//! Recipe of the private MariaDB (or MySQL) that holds the books: durable at every commit, as in production, and with a
//! root user, and the programs' own, who need no password on 127.0.0.1.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::process::getuid;

use crate::guardian::Ground;
use crate::job::Job;
use crate::limits::{DATABASE_INSTALL_BOUND, DATABASE_START_BOUND};
use crate::probe::Probe;
use crate::programs::DatabaseProgram;
use crate::recipe::Recipe;
use crate::server::Server;
use crate::template::Template;

/// The database of a whole stage.
pub(crate) const DATABASE: &str = "doorbuster";
/// The account of engines and back-offices, which `migrate` gives its rights; root is for migrations, tests and faults.
pub(crate) const PROGRAMS_USER: &str = "doorbuster";
/// Where the server sees that account come from.
pub(crate) const PROGRAMS_HOST: &str = "localhost";
/// Run at every start.
const ACCOUNTS: &str = "create user if not exists 'doorbuster'@'localhost';\n";
const ACCOUNTS_FILE: &str = "accounts.sql";

/// Room for what a test or a drill writes: many servers run beside each other.
const SMALL: [&str; 1] = ["--innodb-buffer-pool-size=256M"];
/// Room for millions of rows: ids are hashes, so an index of them that does not fit costs a page read and a page write a row. The size
/// of the redo log has two names, and a server knows one of them.
const LARGE: [&str; 3] = [
    "--innodb-buffer-pool-size=2G",
    "--loose-innodb-log-file-size=1G",
    "--loose-innodb-redo-log-capacity=1G",
];

/// With the data of the template, if there is one.
pub(crate) fn start(
    ground: &Ground,
    program: &DatabaseProgram,
    template: Option<&Template>,
    large: bool,
) -> Result<Server> {
    match template {
        Some(template) => template.copy_to(&data_dir(ground))?,
        None => make_data(ground, program)
            .context("the data directory of the database cannot be made")?,
    }
    fs::write(ground.dir().join(ACCOUNTS_FILE), ACCOUNTS)
        .context("the database's accounts cannot be written down")?;
    let room: &[&str] = if large { &LARGE } else { &SMALL };
    Server::start_on_free_port(|port| recipe(ground, program, port, room))
}

/// `DATABASE_URL` of engines and back-offices.
pub(crate) fn programs_url(port: u16, database: &str) -> String {
    format!("mysql://{PROGRAMS_USER}@127.0.0.1:{port}/{database}")
}

pub(crate) fn data_dir(ground: &Ground) -> PathBuf {
    ground.dir().join("mariadb")
}

fn make_data(ground: &Ground, program: &DatabaseProgram) -> Result<()> {
    let (program, arguments): (&PathBuf, &[&str]) = match program {
        DatabaseProgram::Mariadb { installer, .. } => (
            installer,
            &["--auth-root-authentication-method=normal", "--skip-test-db"],
        ),
        DatabaseProgram::Mysql { server } => (server, &["--initialize-insecure"]),
    };
    let mut args = common_args(ground);
    args.extend(arguments.iter().map(OsString::from));
    // In a directory that servers share, each that starts removes the temporary tables of those that are being installed.
    let mut env = ground.env();
    env.push(("TMPDIR".into(), ground.dir().into()));
    let job = Job {
        program: program.clone(),
        args,
        env,
        dir: ground.dir(),
        input: Vec::new(),
        bound: DATABASE_INSTALL_BOUND,
    };
    job.run()?.success().map(drop)
}

fn recipe(ground: &Ground, program: &DatabaseProgram, port: u16, room: &[&str]) -> Recipe {
    let mut args = common_args(ground);
    args.extend(room.iter().map(OsString::from));
    args.extend(server_args(ground.dir(), port));
    let server = match program {
        DatabaseProgram::Mariadb { server, .. } => server,
        DatabaseProgram::Mysql { server } => {
            // Its second protocol would take a port of its own.
            args.push("--mysqlx=OFF".into());
            server
        }
    };
    Recipe {
        name: "mariadb".to_owned(),
        program: server.clone(),
        args,
        env: ground.env(),
        dir: ground.dir().to_owned(),
        port,
        url: format!("mysql://root@127.0.0.1:{port}"),
        probe: Probe::Database,
        start_bound: DATABASE_START_BOUND,
    }
}

/// `--no-defaults` must come first. Run by root, the server insists on being told under whom it shall run.
fn common_args(ground: &Ground) -> Vec<OsString> {
    let mut args = vec![
        "--no-defaults".into(),
        option("--datadir", &data_dir(ground)),
    ];
    if getuid().is_root() {
        args.push("--user=root".into());
    }
    args
}

fn server_args(dir: &Path, port: u16) -> Vec<OsString> {
    let mut args: Vec<OsString> = [
        "--bind-address=127.0.0.1",
        "--skip-log-bin",
        "--innodb-flush-log-at-trx-commit=1",
        "--max-connections=500",
        "--character-set-server=utf8mb4",
        "--performance-schema=OFF",
    ]
    .map(OsString::from)
    .into();
    args.extend([
        OsString::from(format!("--port={port}")),
        option("--socket", &dir.join("mariadb.sock")),
        option("--pid-file", &dir.join("mariadb.pid")),
        option("--tmpdir", dir),
        option("--init-file", &dir.join(ACCOUNTS_FILE)),
    ]);
    args
}

fn option(name: &str, path: &Path) -> OsString {
    let mut option = OsString::from(name);
    option.push("=");
    option.push(path);
    option
}
