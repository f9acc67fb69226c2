//! The command line: every option with its variable and default. Parsed by `main`, turned into plans by [`plans`].

mod bench;
mod compare;
mod drill;
mod knee;
mod line;
mod plans;
mod rival;
mod till;
mod verify;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use crate::config::StoreArgs;

use crate::config;
use crate::rush::Output;

pub use bench::{BaselineArgs, BenchArgs};
pub use compare::CompareArgs;
pub use drill::DrillArgs;
pub use knee::KneeArgs;
pub use line::LineArgs;
pub use plans::BadConfig;
pub(crate) use plans::{check_engines, check_people};
pub use rival::RivalArgs;
pub use till::TillArgs;
pub use verify::VerifyDrawArgs;

const TEMPLATE: &str = "{about}\n\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

const EXAMPLES: &str = "\
Examples:
  doorbuster-loadtest demo
  doorbuster-loadtest rush --users 10000 --stock 100
  doorbuster-loadtest rush --users 10000 --stock 100 --lose-every-answer --json
  doorbuster-loadtest rush --users 20000 --stock 1000 --seconds 10 --cancel 0.1 --double-click 0.1
  doorbuster-loadtest coupon --users 10000 --coupons 100
  doorbuster-loadtest line --people 200000 --stock 1000
  doorbuster-loadtest compare
  doorbuster-loadtest drill F6
  doorbuster-loadtest verify-draw --backoffice-url http://127.0.0.1:8081 --sale drop-1
  doorbuster-loadtest audit --history target/report/rush-….jsonl
";

const RUSH_EXAMPLES: &str = "\
Examples:
  doorbuster-loadtest rush --users 10000 --stock 100                    10,000 at once for 100 units
  doorbuster-loadtest rush --users 1000 --stock 100 --duplicate 20      everyone sends the same request 20 times
  doorbuster-loadtest rush --users 1 --keys 500 --stock 500 --per-user 3
  doorbuster-loadtest rush --users 5000 --stock 1000 --checkout --payment-script seed=7,decline=50,timeout=20,error=20
  doorbuster-loadtest rush --engine-url http://127.0.0.1:8080 --backoffice-url http://127.0.0.1:8081
";

const DEMO_EXAMPLES: &str = "\
Examples:
  doorbuster-loadtest demo
  doorbuster-loadtest demo --people 50000 --stock 500 --json
";

const COUPON_EXAMPLES: &str = "\
Examples:
  doorbuster-loadtest coupon --users 10000 --coupons 100
";

const AUDIT_EXAMPLES: &str = "\
Examples:
  doorbuster-loadtest audit --history target/report/rush-….jsonl --redis-url … --database-url …
";

const REPORT_EXAMPLES: &str = "\
Examples:
  doorbuster-loadtest report --history target/report/rush-….jsonl
";

/// Sends crowds to Doorbuster, and proves that what they were told is what Redis and MySQL hold.
#[derive(Debug, Parser)]
#[command(name = "doorbuster-loadtest", version, about, before_help = EXAMPLES, help_template = TEMPLATE)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// A whole evening on private servers: a sale, a rush of impatient people, an audit and a report.
    #[command(before_help = DEMO_EXAMPLES, help_template = TEMPLATE)]
    Demo(DemoArgs),
    /// Sends many users to one sale.
    #[command(before_help = RUSH_EXAMPLES, help_template = TEMPLATE)]
    Rush(RushArgs),
    /// Sends many users to one first-come coupon.
    #[command(before_help = COUPON_EXAMPLES, help_template = TEMPLATE)]
    Coupon(CouponArgs),
    /// Sends a crowd to a waiting room: early ones and late ones, leavers, bots, and false tickets.
    #[command(before_help = line::EXAMPLES, help_template = TEMPLATE)]
    Line(LineArgs),
    /// Measures the goals of the purchase path.
    #[command(before_help = bench::EXAMPLES, help_template = TEMPLATE)]
    Bench(BenchArgs),
    /// Finds the highest arrival rate that is served in time, and goes past it.
    #[command(before_help = knee::EXAMPLES, help_template = TEMPLATE)]
    Knee(KneeArgs),
    /// A bare server with the same requests and answers: the yardstick.
    #[command(help_template = TEMPLATE)]
    Baseline(BaselineArgs),
    /// Breaks real processes under a rush, and audits after each fault.
    #[command(before_help = drill::EXAMPLES, help_template = TEMPLATE)]
    Drill(DrillArgs),
    /// Holds a saved history against Redis and MySQL, where the sale must still be.
    #[command(before_help = AUDIT_EXAMPLES, help_template = TEMPLATE)]
    Audit(AuditArgs),
    /// Writes the report of a saved history anew.
    #[command(before_help = REPORT_EXAMPLES, help_template = TEMPLATE)]
    Report(ReportArgs),
    /// Sells the last unit in ten ways in turn, ours among them, and shows who is how fast and who is right.
    #[command(before_help = compare::EXAMPLES, help_template = TEMPLATE)]
    Compare(CompareArgs),
    /// Recomputes a sale's draw from what is published of it, and says what differs.
    #[command(before_help = verify::EXAMPLES, help_template = TEMPLATE)]
    VerifyDraw(VerifyDrawArgs),
    /// Serves one of the other ways to sell the last unit, for comparisons; started by them.
    #[command(hide = true, before_help = rival::EXAMPLES, after_help = rival::SECRETS, help_template = TEMPLATE)]
    Rival(RivalArgs),
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// People who come.
    #[arg(long, default_value_t = 20_000)]
    pub people: u32,
    /// Units on offer.
    #[arg(long, default_value_t = 1_000)]
    pub stock: u32,
    /// Engines to start.
    #[arg(long, default_value_t = 3)]
    pub engines: usize,
    /// The same seed gives the same crowd.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Leave the servers running until Ctrl-C, and say where their pages are and how to sign in
    #[arg(long)]
    pub keep: bool,
    #[command(flatten)]
    pub output: OutputArgs,
}

#[derive(Debug, Args)]
pub struct RushArgs {
    /// Units on offer.
    #[arg(long, default_value_t = 100)]
    pub stock: u32,
    /// Units that each request asks for.
    #[arg(long, default_value_t = 1)]
    pub quantity: u32,
    /// Units that one user may have; 0: no limit.
    #[arg(long, default_value_t = 1)]
    pub per_user: u32,
    /// How long units are held.
    #[arg(long, default_value_t = 300)]
    pub hold_seconds: u32,
    /// Share that cancels the hold it got.
    #[arg(long, default_value_t = 0.0, value_name = "SHARE")]
    pub cancel: f64,
    /// Share that leaves its hold alone until it ends by itself.
    #[arg(long, default_value_t = 0.0, value_name = "SHARE")]
    pub abandon: f64,
    #[command(flatten)]
    pub crowd: CrowdArgs,
    #[command(flatten)]
    pub till: TillArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

#[derive(Debug, Args)]
pub struct CouponArgs {
    /// Coupons on offer.
    #[arg(long, default_value_t = 100)]
    pub coupons: u32,
    /// Coupons that one user may have.
    #[arg(long, default_value_t = 1)]
    pub per_user: u32,
    #[command(flatten)]
    pub crowd: CrowdArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Crowd")]
pub struct CrowdArgs {
    /// Different users, each with a token of its own.
    #[arg(long, default_value_t = 10_000)]
    pub users: u32,
    /// Different requests that each user makes at once, each under a key of its own.
    #[arg(long, default_value_t = 1)]
    pub keys: u32,
    /// Time over which they come, whatever the engines do; 0: all at once.
    #[arg(long, default_value_t = 0)]
    pub seconds: u64,
    /// How they come over that time.
    #[arg(long, value_enum, default_value_t = Spread::Poisson)]
    pub arrivals: Spread,
    /// Keep-alive connections that they share; as many as users, up to 1000, unless given.
    #[arg(long)]
    pub connections: Option<usize>,
    /// Times that each request is sent at once.
    #[arg(long, default_value_t = 1, value_name = "TIMES")]
    pub duplicate: u32,
    /// Share that repeats its request after the answer.
    #[arg(long, default_value_t = 0.0, value_name = "SHARE")]
    pub retry: f64,
    /// Share that sends its request twice at once, to two engines if there are two.
    #[arg(long, default_value_t = 0.0, value_name = "SHARE")]
    pub double_click: f64,
    /// Share that loses the connection before reading the first answer, and asks again.
    #[arg(long, default_value_t = 0.0, value_name = "SHARE")]
    pub lose_answer: f64,
    /// Loses every 201 on the wire; its user asks again until it gets another answer.
    #[arg(long)]
    pub lose_every_answer: bool,
    /// The same seed gives the same crowd.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Spread {
    Even,
    Poisson,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Programs")]
pub struct TargetArgs {
    /// Engines to start; three unless given.
    #[arg(long, conflicts_with = "engine_url")]
    pub engines: Option<usize>,
    /// What a yes is worth on a stage of our own: memory, fsync, replica or mysql.
    #[arg(long, visible_alias = "ack", default_value = "fsync", value_parser = ["memory", "fsync", "replica", "mysql"], conflicts_with = "engine_url")]
    pub ack_level: String,
    /// An engine that runs already, as http://127.0.0.1:8080; repeatable. TOKEN_SECRET must be set to its secret.
    #[arg(long, requires = "backoffice_url", value_name = "URL")]
    pub engine_url: Vec<String>,
    /// The back-office beside it.
    #[arg(long, requires = "engine_url", value_name = "URL")]
    pub backoffice_url: Option<String>,
    /// Allows programs on other machines.
    #[arg(long, requires = "engine_url")]
    pub allow_remote: bool,
    #[command(flatten)]
    pub stores: StoreArgs,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Ends with one JSON object on the last line of standard output.
    #[arg(long)]
    pub json: bool,
    /// Where the report goes; its history goes beside it. In target/report unless given.
    #[arg(long, value_name = "PATH")]
    pub report: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct AuditArgs {
    /// The history that a run has saved.
    #[arg(long, value_name = "FILE")]
    pub history: PathBuf,
    #[command(flatten)]
    pub stores: StoreArgs,
    /// Ends with one JSON object on the last line of standard output.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The history that a run has saved.
    #[arg(long, value_name = "FILE")]
    pub history: PathBuf,
    /// Where the report goes; beside the history unless given.
    #[arg(long, value_name = "PATH")]
    pub report: Option<PathBuf>,
}

impl OutputArgs {
    /// Where results go.
    pub fn output(&self) -> Output {
        Output {
            json: self.json,
            report: self.report.clone(),
            colour: config::colour(),
        }
    }
}
