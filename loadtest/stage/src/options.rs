//! What a stage consists of. Built by tests and by doorbuster-loadtest, read by `Stage::start`.

use std::ffi::OsString;

/// Which servers a stage has below the engines and back-offices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Servers {
    /// Enough for the tests of doorbuster-core: scripts and their gate.
    RedisOnly,
    /// Enough for tests that call the programs' libraries; the database is there but empty.
    RedisAndMariadb,
}

/// How the payment sandbox behaves: `doorbuster-backoffice payment-sandbox --help`.
#[derive(Clone, Debug, Default)]
pub struct SandboxOptions {
    /// Its `--script`.
    pub script: String,
    /// How long each request takes there.
    pub latency_ms: u64,
}

/// What to start, and with which settings.
#[derive(Clone, Debug)]
pub struct StageOptions {
    /// Engines and back-offices need both servers.
    pub servers: Servers,
    /// Engines to start; more can be added later with `Stage::add_engine`.
    pub engines: usize,
    /// Back-offices to start.
    pub backoffices: usize,
    /// `ACK_LEVEL` of every engine and back-office: memory, fsync, replica or mysql. Redis syncs every write unless it is `memory`.
    pub ack_level: String,
    /// Whether Redis has a replica; at ack level `replica` it has one in any case.
    pub replica: bool,
    /// Whether back-offices have an SMTP server to send mails with.
    pub mail: bool,
    /// The payment sandbox, where back-offices have one to charge at.
    pub sandbox: Option<SandboxOptions>,
    /// `--role` of every engine: all, front or writer.
    pub engine_role: String,
    /// Further variables of every engine; they win over the stage's own.
    pub engine_env: Vec<(String, String)>,
    /// Further variables of every back-office and back-office command; they win over the stage's own.
    pub backoffice_env: Vec<(String, String)>,
    /// Whether MariaDB has the memory and the redo log that a shop's has, and not those of one of many tests.
    pub large_database: bool,
    /// Further variables of Redis (a drill may preload a library that shifts its clock).
    pub redis_env: Vec<(String, String)>,
    /// Where redis-server and mariadbd are looked for; `None` is this process's PATH and the usual sbin directories.
    pub search_path: Option<OsString>,
}

impl StageOptions {
    /// Redis alone.
    #[must_use]
    pub fn redis_only() -> Self {
        Self {
            servers: Servers::RedisOnly,
            ..Self::servers()
        }
    }

    /// Redis and an empty MariaDB.
    #[must_use]
    pub fn servers() -> Self {
        Self {
            servers: Servers::RedisAndMariadb,
            engines: 0,
            backoffices: 0,
            ack_level: "fsync".to_owned(),
            replica: false,
            mail: false,
            sandbox: None,
            engine_role: "all".to_owned(),
            engine_env: Vec::new(),
            backoffice_env: Vec::new(),
            large_database: false,
            redis_env: Vec::new(),
            search_path: None,
        }
    }

    /// Both servers, a migrated database, one back-office and `engines` engines.
    #[must_use]
    pub fn whole(engines: usize) -> Self {
        Self {
            engines,
            backoffices: 1,
            ..Self::servers()
        }
    }

    /// The same with another ack level.
    #[must_use]
    pub fn ack_level(mut self, level: &str) -> Self {
        level.clone_into(&mut self.ack_level);
        self
    }

    /// Whether the database is migrated, because programs use it.
    pub(crate) fn has_programs(&self) -> bool {
        self.engines + self.backoffices > 0
    }

    pub(crate) fn has_replica(&self) -> bool {
        self.replica || self.ack_level == "replica"
    }

    /// The same with room in MariaDB for millions of rows.
    #[must_use]
    pub fn large_database(mut self) -> Self {
        self.large_database = true;
        self
    }

    /// The same with an SMTP server that keeps what it is sent.
    #[must_use]
    pub fn with_mail(mut self) -> Self {
        self.mail = true;
        self
    }

    /// The same with a payment sandbox, and back-offices that charge there.
    #[must_use]
    pub fn with_sandbox(mut self, sandbox: SandboxOptions) -> Self {
        self.sandbox = Some(sandbox);
        self
    }

    /// The same with another role of every engine that starts with the stage.
    #[must_use]
    pub fn engine_role(mut self, role: &str) -> Self {
        role.clone_into(&mut self.engine_role);
        self
    }

    /// The same with one more variable for every engine.
    #[must_use]
    pub fn engine_env(mut self, name: &str, value: &str) -> Self {
        self.engine_env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with one more variable for every back-office.
    #[must_use]
    pub fn backoffice_env(mut self, name: &str, value: &str) -> Self {
        self.backoffice_env
            .push((name.to_owned(), value.to_owned()));
        self
    }
}

impl Default for StageOptions {
    /// One engine and one back-office on both servers.
    fn default() -> Self {
        Self::whole(1)
    }
}
