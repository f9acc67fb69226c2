//! Recipe of a private SMTP server that keeps each mail as a file, and the reading of those files: tests follow the links of mails as their
//! recipients would.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::guardian::Ground;
use crate::limits::MAIL_START_BOUND;
use crate::probe::Probe;
use crate::recipe::Recipe;
use crate::server::Server;

/// Its name, and that of its directory: a maildir.
const NAME: &str = "mail";

pub(crate) fn start(ground: &Ground, python: &Path) -> Result<Server> {
    Server::start_on_free_port(|port| recipe(ground, python.to_owned(), port))
}

fn recipe(ground: &Ground, program: PathBuf, port: u16) -> Recipe {
    let mut env = ground.env();
    // What it writes to its log must be there when a test looks.
    env.push(("PYTHONUNBUFFERED".into(), "1".into()));
    let listen = format!("127.0.0.1:{port}");
    let mailbox = ground.dir().join(NAME);
    let mut args: Vec<_> = ["-m", "aiosmtpd", "-n", "-l", &listen, "-c"]
        .map(Into::into)
        .into();
    args.push("aiosmtpd.handlers.Mailbox".into());
    args.push(mailbox.into());
    Recipe {
        name: NAME.to_owned(),
        program,
        args,
        env,
        dir: ground.dir().to_owned(),
        port,
        url: format!("smtp://127.0.0.1:{port}"),
        probe: Probe::Mail,
        start_bound: MAIL_START_BOUND,
    }
}

/// Every mail that has arrived, in the order of arrival: headers and body as they came over the wire.
pub(crate) fn arrived(dir: &Path) -> Result<Vec<String>> {
    let new = dir.join(NAME).join("new");
    if !new.is_dir() {
        return Ok(Vec::new());
    }
    let mut mails = Vec::new();
    for entry in fs::read_dir(new).context("the mailbox")? {
        let entry = entry?;
        let written = entry.metadata()?.modified()?;
        mails.push((
            written,
            entry.file_name(),
            fs::read_to_string(entry.path())?,
        ));
    }
    mails.sort();
    Ok(mails.into_iter().map(|(_, _, text)| text).collect())
}
