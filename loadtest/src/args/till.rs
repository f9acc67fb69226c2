//! Options of those who pay for what they hold.

use clap::Args;
use doorbuster_stage::SandboxOptions;

use super::plans::{BadConfig, check};
use crate::plan::Plan;
use crate::target::Wanted;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Money")]
pub struct TillArgs {
    /// Whoever has a hold pays for it, at a payment sandbox.
    #[arg(long)]
    pub checkout: bool,
    /// What becomes of charges and webhooks: `doorbuster-backoffice payment-sandbox --help`.
    #[arg(long, default_value = "", requires = "checkout", value_name = "SCRIPT")]
    pub payment_script: String,
    /// How long each request to the sandbox takes.
    #[arg(long, default_value_t = 20, requires = "checkout", value_name = "MS")]
    pub payment_latency_ms: u64,
    /// The sandbox beside programs that run already, for the audit.
    #[arg(
        long,
        requires = "checkout",
        requires = "engine_url",
        value_name = "URL"
    )]
    pub payment_url: Option<String>,
}

impl TillArgs {
    /// The same plan, paid for.
    pub(super) fn added(&self, plan: Plan, wanted: Wanted) -> Result<(Plan, Wanted), BadConfig> {
        if !self.checkout {
            return Ok((plan, wanted));
        }
        let wanted = match wanted {
            Wanted::Own(mut own) => {
                own.sandbox = Some(SandboxOptions {
                    script: self.payment_script.clone(),
                    latency_ms: self.payment_latency_ms,
                });
                Wanted::Own(own)
            }
            Wanted::Running(mut running) => {
                check(self.payment_url.is_some(), || {
                    "--payment-url must name the sandbox of programs that run already".into()
                })?;
                running.payment_url.clone_from(&self.payment_url);
                Wanted::Running(running)
            }
        };
        let plan = Plan {
            checkout: true,
            ..plan
        };
        Ok((plan, wanted))
    }
}
