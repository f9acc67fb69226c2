//! Ours beside the other ways to sell: the comparison, whole, as a part of the table.

use anyhow::Result;

use super::goals::Findings;
use crate::args::{BenchArgs, CompareArgs};
use crate::command::Verdict;
use crate::compare;

pub(super) async fn run(args: &BenchArgs) -> Result<(Findings, Verdict)> {
    let plan = CompareArgs::of_rounds(args.rounds).plan()?;
    let outcome = compare::measure(&plan).await?;
    Ok((outcome.findings()?, outcome.verdict()))
}
