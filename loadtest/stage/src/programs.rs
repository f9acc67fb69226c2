//! Finds the programs that a stage starts, before it starts any of them.
//! A missing one is a single line that says how to get it.

use std::env;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Debian keeps servers here, which an ordinary user's PATH often leaves out.
const SBIN: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/sbin"];

/// Directories in the order in which they are searched.
pub(crate) struct SearchPath(Vec<PathBuf>);

/// The database server at hand; both speak the protocol and the SQL that Doorbuster needs.
pub(crate) enum DatabaseProgram {
    Mariadb { installer: PathBuf, server: PathBuf },
    Mysql { server: PathBuf },
}

impl SearchPath {
    /// `path` as in PATH, then the sbin directories.
    pub(crate) fn with_sbin(path: &OsStr) -> Self {
        let usual = SBIN.iter().map(PathBuf::from);
        Self(env::split_paths(path).chain(usual).collect())
    }

    /// `path` and nothing else.
    pub(crate) fn exactly(path: &OsStr) -> Self {
        Self(env::split_paths(path).collect())
    }

    fn find(&self, name: &str) -> Option<PathBuf> {
        self.0
            .iter()
            .map(|dir| dir.join(name))
            .find(|path| is_program(path))
    }

    pub(crate) fn redis_server(&self) -> Result<PathBuf> {
        self.find("redis-server").context(
            "redis-server is missing: apt-get install redis-server (Debian package redis-server)",
        )
    }

    /// The first Python that has the SMTP server's module: the system's own need not be the first of all.
    pub(crate) fn mail_server(&self) -> Result<PathBuf> {
        self.0
            .iter()
            .map(|dir| dir.join("python3"))
            .find(|path| is_program(path) && has_aiosmtpd(path))
            .context("python3 with aiosmtpd is missing: apt-get install python3-aiosmtpd (Debian package python3-aiosmtpd)")
    }

    pub(crate) fn database(&self) -> Result<DatabaseProgram> {
        if let (Some(installer), Some(server)) =
            (self.find("mariadb-install-db"), self.find("mariadbd"))
        {
            return Ok(DatabaseProgram::Mariadb { installer, server });
        }
        match self.find("mysqld") {
            Some(server) => Ok(DatabaseProgram::Mysql { server }),
            None => bail!(
                "mariadbd is missing: apt-get install mariadb-server (Debian package mariadb-server)"
            ),
        }
    }
}

/// One of this project's own programs: beside the running one, or one level up, since cargo puts tests into `deps/`.
pub(crate) fn own_program(name: &str) -> Result<PathBuf> {
    let here = env::current_exe().context("where this program lies cannot be told")?;
    here.ancestors()
        .skip(1)
        .take(2)
        .map(|dir| dir.join(name))
        .find(|path| is_program(path))
        .with_context(|| format!("{name} is missing: run: make build"))
}

fn has_aiosmtpd(python: &Path) -> bool {
    Command::new(python)
        .args(["-c", "import aiosmtpd"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn is_program(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_server_is_named_with_its_package() {
        let nowhere = SearchPath::exactly(OsStr::new("/nonexistent"));
        let redis = nowhere.redis_server().unwrap_err().to_string();
        assert!(redis.contains("apt-get install redis-server"), "{redis}");
        let mail = nowhere.mail_server().unwrap_err().to_string();
        assert!(mail.contains("apt-get install python3-aiosmtpd"), "{mail}");
        let database = nowhere.database().err().unwrap().to_string();
        assert!(
            database.contains("apt-get install mariadb-server"),
            "{database}"
        );
    }

    #[test]
    fn a_missing_own_program_says_what_to_run() {
        let message = own_program("doorbuster-nothing").unwrap_err().to_string();
        assert_eq!(message, "doorbuster-nothing is missing: run: make build");
    }

    #[test]
    fn a_directory_or_a_plain_file_is_no_program() {
        assert!(!is_program(Path::new("/usr")));
        assert!(!is_program(Path::new("/etc/passwd")));
        assert!(is_program(Path::new("/bin/sh")));
    }
}
