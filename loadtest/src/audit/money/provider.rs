//! Reads all that the payment sandbox has, page by page: the provider's own word, past every program of ours.

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::facts::Charge;
use crate::client::endpoint::Endpoint;
use crate::setup::{self, Call};

#[derive(Deserialize)]
struct Page {
    charges: Vec<ChargeView>,
    next_cursor: Option<u64>,
}

#[derive(Deserialize)]
struct ChargeView {
    key: String,
    order: String,
    captured: Option<Amount>,
    refunds: Vec<RefundView>,
}

#[derive(Deserialize)]
struct Amount {
    amount: i64,
    currency: String,
}

#[derive(Deserialize)]
struct RefundView {
    amount: Amount,
}

/// Every capture that it has.
///
/// # Errors
/// If it does not answer.
pub async fn captures(sandbox: &Endpoint) -> Result<Vec<Charge>> {
    let (mut captures, mut after) = (Vec::new(), 0);
    loop {
        let reply = setup::call(sandbox, &Call::get(&format!("/v1/charges?after={after}"))).await?;
        if reply.status != 200 {
            bail!("the payment sandbox answers {}", reply.status);
        }
        let page: Page = serde_json::from_slice(&reply.body).context("the sandbox's list")?;
        captures.extend(page.charges.into_iter().filter_map(capture));
        match page.next_cursor {
            Some(next) => after = next,
            None => return Ok(captures),
        }
    }
}

fn capture(view: ChargeView) -> Option<Charge> {
    let captured = view.captured?;
    let refunds = view.refunds.iter();
    // What went back in another currency has not gone back.
    let refunded = refunds.filter(|refund| refund.amount.currency == captured.currency);
    let refunded = refunded.map(|refund| refund.amount.amount).sum();
    Some(Charge {
        key: view.key,
        order: view.order,
        currency: captured.currency,
        captured: captured.amount,
        refunded,
    })
}
