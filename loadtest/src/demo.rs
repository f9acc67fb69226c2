//! The demo: three engines, a thousand units, twenty thousand impatient people, and in plain words what came of it.

use std::time::Duration;

use anyhow::Result;

use crate::args::{DemoArgs, check_engines, check_people};
use crate::command::{self, Verdict};
use crate::crowd::Mix;
use crate::limits::CONNECTIONS_DEFAULT;
use crate::plan::{Losses, Offer, Plan, Scenario};
use crate::report;
use crate::rush::{self, say};
use crate::schedule::Arrivals;
use crate::target::{OwnStage, Rate, Target, Wanted};

/// Most come in the first seconds.
const ARRIVALS: Duration = Duration::from_secs(8);
/// Long enough that nobody's hold runs out during the demo.
const HOLD_SECONDS: u32 = 300;

/// Runs the demo and prints what happened.
///
/// # Errors
/// If the servers do not start, or a result cannot be written.
pub async fn run(args: &DemoArgs) -> Result<Verdict> {
    let plan = plan(args)?;
    let output = args.output.output();
    rush::raise_file_limit()?;
    say(&format!(
        "1/5  starting private servers: redis, mariadb, a back-office and {} engines",
        args.engines
    ));
    let own = OwnStage {
        engines: args.engines,
        ack_level: "fsync".to_owned(),
        rate_per_user: Rate::AsShipped,
    };
    let target = Target::reach(&Wanted::Own(own)).await?;
    say(&format!("     {}", target.described()));
    say(&format!(
        "2/5  an operator opens a sale of {} units, one per person",
        args.stock
    ));
    say(&format!(
        "3/5  {} people come within {} s; some double-click, retry, cancel, or lose the answer",
        args.people,
        ARRIVALS.as_secs()
    ));
    let finished = rush::run(&plan, &target, output.colour).await?;
    say("4/5  every answer was held against Redis and MySQL");
    let report = command::save(&finished, &output)?;
    say("5/5  the report is written; the private servers stop");
    drop(target);
    command::print(&story(&finished.outcome, &report.display().to_string()))?;
    command::finish(&finished.outcome, output.json)
}

fn plan(args: &DemoArgs) -> Result<Plan> {
    check_engines(args.engines)?;
    check_people(args.people)?;
    let name = command::name(Scenario::Demo);
    Ok(Plan {
        scenario: Scenario::Demo,
        offer: Offer {
            stock: args.stock,
            hold_seconds: HOLD_SECONDS,
            ..Offer::sale(&name)
        },
        users: args.people,
        keys_per_user: 1,
        arrivals: Arrivals::Poisson(ARRIVALS),
        engines: args.engines,
        connections: CONNECTIONS_DEFAULT,
        mix: Mix::REALISTIC,
        sends: 1,
        losses: Losses::None,
        seed: args.seed,
    })
}

fn story(outcome: &crate::summary::Outcome, report: &str) -> String {
    let text = report::text(outcome);
    format!(
        "\n{text}\n\
         report   {report}\n\
         \n\
         Next:  open the report in a browser;\n\
         \x20      doorbuster-loadtest rush --users 10000 --stock 100 --lose-every-answer    every yes is lost once, and found again\n\
         \x20      doorbuster-loadtest coupon --users 10000 --coupons 100                    a first-come coupon\n\
         \x20      README.md has a first sale by hand, with curl\n"
    )
}
