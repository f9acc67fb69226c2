//! Runs the job that the command line names, and prints its result: text, or one JSON object. Called by `main`.

use std::fmt::Display;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;

use crate::config::Command;
use crate::{
    admin, audit_log, invite, migrate, payment_sandbox, rebuild, reconcile, seed, server,
    settlement, token,
};

/// Reconcile found differences, rebuild a loss, audit-check a row that is not what it was, or settle that the ledger does not balance.
const DIFFERENCES: u8 = 1;
/// Rebuild waits for a person.
const WAITS: u8 = 2;

/// # Errors
/// Whatever kept the job from its end; differences that reconcile finds are a result.
pub async fn run(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Migrate(request) => {
            let migrated = migrate::migrate(request).await?;
            print(request.output.json, &migrated)?;
        }
        Command::Token(request) => print(request.output.json, &token::issue(request)?)?,
        Command::Invite(request) => print(request.output.json, &invite::issue(request)?)?,
        Command::Admin(request) => print(request.output.json, &admin::make(request).await?)?,
        Command::Seed(request) => print(request.output.json, &seed::seed(request).await?)?,
        Command::Serve(config) => server::serve(config).await?,
        Command::PaymentSandbox(config) => payment_sandbox::serve(config).await?,
        Command::Reconcile(request) => {
            let report = reconcile::reconcile(request).await?;
            print(request.output.json, &report)?;
            if report.differences > 0 {
                return Ok(ExitCode::from(DIFFERENCES));
            }
        }
        Command::Settle(request) => {
            let outcome = settlement::command::settle(request).await?;
            print(request.output.json, &outcome)?;
            if outcome.is_unbalanced() {
                return Ok(ExitCode::from(DIFFERENCES));
            }
        }
        Command::AuditCheck(request) => {
            let checked = audit_log::check::check(request).await?;
            print(request.output.json, &checked)?;
            if checked.broken.is_some() {
                return Ok(ExitCode::from(DIFFERENCES));
            }
        }
        Command::Rebuild(request) => {
            let outcome = rebuild::rebuild(request).await?;
            print(request.output.json, &outcome)?;
            match (outcome.is_done(), outcome.lost()) {
                (true, 0) => {}
                (true, _) => return Ok(ExitCode::from(DIFFERENCES)),
                (false, _) => return Ok(ExitCode::from(WAITS)),
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print(json: bool, result: &(impl Serialize + Display)) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string(result)?);
    } else {
        println!("{result}");
    }
    Ok(())
}
