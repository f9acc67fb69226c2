//! `verify-draw`: recomputes a draw from what is published of it. Needs no secret and no access: anybody can run it.

pub mod judge;

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use doorbuster_core::draw::Entry;
use doorbuster_core::ids::SaleId;

use crate::args::{BadConfig, VerifyDrawArgs};
use crate::client::endpoint::{Endpoint, Reach};
use crate::command::{self, Verdict};
use crate::limits::VERIFY_PAGE;
use crate::setup::{Call, call};
use judge::{Published, Remembered, Row, Verified, judge};

/// # Errors
/// [`BadConfig`], or a draw that cannot be had or is not done; one that differs is a verdict.
pub async fn run(args: &VerifyDrawArgs) -> Result<Verdict> {
    let remembered = remembered(args)?;
    let (published, rows) = match (&args.backoffice_url, &args.sale, &args.draw, &args.entries) {
        (Some(url), Some(sale), ..) => fetch(url, sale).await?,
        (_, _, Some(draw), Some(entries)) => read(draw, entries)?,
        _ => {
            let wanted = "either --backoffice-url and --sale, or --draw and --entries";
            return Err(BadConfig(wanted.into()).into());
        }
    };
    let verified = judge(&published, &rows, &remembered)?;
    command::print(&text(&verified))?;
    if args.json {
        command::print_json(&verified)?;
    }
    Ok(match verified.differences {
        0 => Verdict::Clean,
        _ => Verdict::Wrong,
    })
}

fn remembered(args: &VerifyDrawArgs) -> Result<Remembered> {
    let own = match (args.number, &args.entry) {
        (Some(number), Some(entry)) => {
            let parsed = Entry::parse(entry);
            let entry =
                parsed.ok_or_else(|| BadConfig("--entry must be 32 digits of hex".into()))?;
            Some((number, entry))
        }
        _ => None,
    };
    Ok(Remembered {
        commitment: args.commitment.clone(),
        own,
    })
}

async fn fetch(url: &str, sale: &SaleId) -> Result<(Published, Vec<Row>)> {
    // Nothing is put under load, so it may be anywhere.
    let backoffice = Endpoint::resolve(url, Reach::Anywhere).await?;
    published(&backoffice, sale).await
}

/// All that is published of a draw so far, with its list once it is done.
///
/// # Errors
/// If the back-office does not have it.
pub async fn published(backoffice: &Endpoint, sale: &SaleId) -> Result<(Published, Vec<Row>)> {
    let draw = get(backoffice, &format!("/v1/sales/{sale}/draw")).await?;
    let published: Published =
        serde_json::from_slice(&draw).context("the draw is not one of ours")?;
    let early = published.early.unwrap_or(0);
    let mut rows = Vec::with_capacity(early as usize);
    for from in (1..=early).step_by(VERIFY_PAGE as usize) {
        let path = format!("/v1/sales/{sale}/draw/entries?from={from}&limit={VERIFY_PAGE}");
        let page = get(backoffice, &path).await?;
        rows.extend(Row::parse_all(std::str::from_utf8(&page)?)?);
    }
    Ok((published, rows))
}

async fn get(backoffice: &Endpoint, path: &str) -> Result<Vec<u8>> {
    let reply = call(backoffice, &Call::get(path)).await?;
    if reply.status != 200 {
        let said = String::from_utf8_lossy(&reply.body).into_owned();
        bail!("{path} is answered with {}: {said}", reply.status);
    }
    Ok(reply.body)
}

fn read(draw: &Path, entries: &Path) -> Result<(Published, Vec<Row>)> {
    let text = |path: &Path| {
        std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
    };
    let published = serde_json::from_str(&text(draw)?)
        .with_context(|| format!("{} is no draw", draw.display()))?;
    Ok((published, Row::parse_all(&text(entries)?)?))
}

fn text(verified: &Verified) -> String {
    let Verified {
        sale,
        early,
        vacant,
        findings,
        differences,
    } = verified;
    let mut text = format!("draw of {sale}: {early} entries, {vacant} of them vacant\n");
    for finding in findings {
        text.push_str(&format!("  {finding}\n"));
    }
    text.push_str(&match differences {
        0 => "commitment, list hash, seed and every place are what they come to\n".to_owned(),
        n => format!("{n} differences\n"),
    });
    text
}
