//! A whole stage: its servers, engines and back-offices, and the order in which they come and go.
//! Owned by a test, a demo or a drill. Dropping it stops everything and removes the directory; see `guardian` for owners
//! who die before they can.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ScopedJoinHandle};

use anyhow::{Result, anyhow, ensure};

use crate::guardian::Ground;
use crate::guest::Program;
use crate::job::Finished;
use crate::limits::TOKEN_SECRET_BYTES;
use crate::options::{Servers, StageOptions};
use crate::ours::{Ours, Ports, Surroundings, check_programs};
use crate::programs::{DatabaseProgram, SearchPath};
use crate::random::random_hex;
use crate::server::Server;
use crate::template::Template;
use crate::{books, config, http, live, mail};

/// Programs of one kind, in the order of their indices; shared with tests that hold on to one while others are added.
type Troupe = Vec<Arc<Server>>;

/// Private servers, alive as long as this value.
pub struct Stage {
    // Dropped in this order: whoever uses a server goes before it, and the ground goes last.
    ours: Ours,
    engines: Mutex<Troupe>,
    backoffices: Troupe,
    sandbox: Option<Server>,
    token_secret: String,
    mariadb: Option<Server>,
    replica: Option<Server>,
    mail: Option<Server>,
    redis: Server,
    ground: Ground,
}

impl Stage {
    /// Starts what the options say, and returns once all of it answers. Nothing stays behind if any of it fails.
    pub fn start(options: &StageOptions) -> Result<Self> {
        let (redis_program, database_program, python) = find_servers(options)?;
        check_programs(options)?;
        let token_secret = random_hex::<TOKEN_SECRET_BYTES>()?;
        let ground = Ground::new()?;
        let (redis, mariadb) = thread::scope(|scope| {
            let redis = scope.spawn(|| live::start(&ground, options, &redis_program));
            let mariadb = database_program
                .as_ref()
                .map(|program| {
                    let template = Template::of(options, program);
                    books::start(&ground, program, template, options.large_database)
                })
                .transpose();
            (joined(redis), mariadb)
        });
        let (redis, mariadb) = (redis?, mariadb?);
        let replica = options
            .has_replica()
            .then(|| live::start_replica(&ground, options, &redis_program, redis.port()))
            .transpose()?;
        let mail = python
            .map(|python| mail::start(&ground, &python))
            .transpose()?;
        let database_url = mariadb
            .as_ref()
            .map(|server| database_url(server, books::DATABASE));
        // Whoever starts no program here migrates by himself, and gives nobody rights.
        let programs_url = mariadb
            .as_ref()
            .filter(|_| options.has_programs())
            .map(|server| books::programs_url(server.port(), books::DATABASE));
        let around = Surroundings {
            redis_url: redis.url(),
            database_url: database_url.as_deref(),
            programs_database_url: programs_url.as_deref(),
            token_secret: &token_secret,
            smtp_url: mail.as_ref().map(Server::url),
        };
        let ports = Ports::choose(options)?;
        let ours = Ours::new(&ground, &around, options, ports);
        let sandbox = options.sandbox.as_ref();
        let sandbox = sandbox
            .map(|sandbox| ours.start_sandbox(sandbox))
            .transpose()?;
        let (engines, backoffices) = start_programs(&ours, options)?;
        Ok(Self {
            ours,
            engines: Mutex::new(engines),
            backoffices,
            sandbox,
            token_secret,
            mariadb,
            replica,
            mail,
            redis,
            ground,
        })
    }

    /// The Redis of the live sales.
    pub fn redis(&self) -> &Server {
        &self.redis
    }

    /// The replica of that Redis.
    ///
    /// # Panics
    /// On a stage that has none.
    pub fn replica(&self) -> &Server {
        self.replica
            .as_ref()
            .expect("the options of this stage ask for no replica")
    }

    /// The SMTP server.
    ///
    /// # Panics
    /// On a stage that has none.
    pub fn mail(&self) -> &Server {
        self.mail
            .as_ref()
            .expect("the options of this stage ask for no SMTP server")
    }

    /// Whether there is a payment sandbox.
    pub fn has_sandbox(&self) -> bool {
        self.sandbox.is_some()
    }

    /// The payment sandbox.
    ///
    /// # Panics
    /// On a stage that has none.
    pub fn sandbox(&self) -> &Server {
        self.sandbox
            .as_ref()
            .expect("the options of this stage ask for no payment sandbox")
    }

    /// What the sandbox tells its customers from now on: `refuse`, `hang`, or `off` for the truth.
    pub fn set_outage(&self, mode: &str) -> Result<()> {
        let body = format!(r#"{{"mode":"{mode}"}}"#);
        let status = http::post_status(self.sandbox().port(), "/control/outage", &body)?;
        ensure!(
            status == 200,
            "the sandbox answers {status} to an outage of {mode}"
        );
        Ok(())
    }

    /// Every mail that has arrived, in the order of arrival: headers and body as they came over the wire.
    pub fn mails(&self) -> Result<Vec<String>> {
        mail::arrived(self.dir())
    }

    /// The database server of the books.
    ///
    /// # Panics
    /// On a stage that has none.
    pub fn mariadb(&self) -> &Server {
        self.mariadb
            .as_ref()
            .expect("the options of this stage ask for Redis only")
    }

    /// The engine with this index, counted from 0 in the order of starts.
    ///
    /// # Panics
    /// If there is none.
    pub fn engine(&self, index: usize) -> Arc<Server> {
        Arc::clone(&self.engines()[index])
    }

    /// How many engines were started, stopped ones included.
    pub fn engine_count(&self) -> usize {
        self.engines().len()
    }

    /// The back-office with this index.
    ///
    /// # Panics
    /// If there is none.
    pub fn backoffice(&self, index: usize) -> &Server {
        &self.backoffices[index]
    }

    /// Starts one more engine, of a role of its own and with further variables; returns its index.
    pub fn add_engine(&self, role: &str, env: &[(&str, &str)]) -> Result<usize> {
        let mut engines = self.engines();
        let index = engines.len();
        engines.push(Arc::new(self.ours.start_engine(index, role, env)?));
        Ok(index)
    }

    /// Starts a program of the caller's beside the stage's own, and returns once it answers `GET /livez`. It ends when the
    /// returned value goes, and at the latest with the stage.
    pub fn start_program(&self, program: &Program<'_>) -> Result<Server> {
        self.ours.start_guest(program)
    }

    /// Runs a back-office command such as `["token", "--user", "u-1"]` to its end.
    pub fn run_backoffice(&self, args: &[&str]) -> Result<Finished> {
        self.ours.run_backoffice(args, "")
    }

    /// The same of one that reads `input` from its standard input: secrets are no arguments.
    pub fn run_backoffice_reading(&self, args: &[&str], input: &str) -> Result<Finished> {
        self.ours.run_backoffice(args, input)
    }

    /// `REDIS_URL` of this stage.
    pub fn redis_url(&self) -> &str {
        self.redis.url()
    }

    /// `DATABASE_URL` of this stage.
    ///
    /// # Panics
    /// On a stage without a database.
    pub fn database_url(&self) -> String {
        self.database_url_named(books::DATABASE)
    }

    /// The same for another database of the same server, which the caller creates.
    ///
    /// # Panics
    /// On a stage without a database.
    pub fn database_url_named(&self, database: &str) -> String {
        database_url(self.mariadb(), database)
    }

    /// `TOKEN_SECRET` of this stage, random.
    pub fn token_secret(&self) -> &str {
        &self.token_secret
    }

    /// The directory with the data and the logs; gone when the stage is.
    pub fn dir(&self) -> &Path {
        self.ground.dir()
    }

    fn engines(&self) -> MutexGuard<'_, Troupe> {
        self.engines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn print_logs(&self) {
        let engines = self.engines();
        let ours = engines.iter().chain(&self.backoffices).map(Arc::as_ref);
        for server in ours
            .chain(&self.mariadb)
            .chain(&self.replica)
            .chain(&self.mail)
            .chain(&self.sandbox)
            .chain([&self.redis])
        {
            eprintln!("---- end of the log of {}", server.name());
            eprintln!("{}", server.tail());
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if thread::panicking() {
            self.print_logs();
        }
        // A test may still hold an engine, whose own drop would then come too late.
        for engine in self.engines().iter() {
            if let Err(error) = engine.kill9() {
                eprintln!("stage: {error:#}");
            }
        }
    }
}

/// Redis, the database, and the Python of the SMTP server.
type Found = (PathBuf, Option<DatabaseProgram>, Option<PathBuf>);

fn find_servers(options: &StageOptions) -> Result<Found> {
    let path = match &options.search_path {
        Some(path) => SearchPath::exactly(path),
        None => SearchPath::with_sbin(&config::search_path()),
    };
    let redis = path.redis_server()?;
    let database = match options.servers {
        Servers::RedisOnly => None,
        Servers::RedisAndMariadb => Some(path.database()?),
    };
    let python = options.mail.then(|| path.mail_server()).transpose()?;
    Ok((redis, database, python))
}

/// All at once: engines wait for nobody, and the database is migrated by then.
fn start_programs(ours: &Ours, options: &StageOptions) -> Result<(Troupe, Troupe)> {
    if options.has_programs() {
        ours.migrate()?;
    }
    thread::scope(|scope| {
        let engines: Vec<_> = (0..options.engines)
            .map(|index| scope.spawn(move || ours.start_engine(index, &options.engine_role, &[])))
            .collect();
        let backoffices: Vec<_> = (0..options.backoffices)
            .map(|index| scope.spawn(move || ours.start_backoffice(index)))
            .collect();
        Ok((all_started(engines)?, all_started(backoffices)?))
    })
}

fn all_started(starts: Vec<ScopedJoinHandle<'_, Result<Server>>>) -> Result<Troupe> {
    starts
        .into_iter()
        .map(|start| joined(start).map(Arc::new))
        .collect()
}

fn joined<T>(thread: ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread
        .join()
        .unwrap_or_else(|_| Err(anyhow!("a thread that started a server panicked")))
}

fn database_url(server: &Server, database: &str) -> String {
    format!("{}/{database}", server.url())
}
