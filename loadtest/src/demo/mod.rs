//! The demo: staff that comes in as README says, three engines, a thousand units, twenty thousand impatient people, and in plain words what came of
//! it.

mod mailbox;
mod staff;

use std::io::IsTerminal as _;
use std::time::Duration;

use anyhow::Result;
use doorbuster_core::claims::Role;
use doorbuster_core::ids::UserId;
use doorbuster_stage::StageOptions;

use crate::args::{DemoArgs, check_engines, check_people};
use crate::command::{self, Verdict};
use crate::crowd::Mix;
use crate::limits::CONNECTIONS_DEFAULT;
use crate::plan::{Losses, Offer, Plan, Scenario};
use crate::report;
use crate::rush::{self, Finished, say};
use crate::schedule::Arrivals;
use crate::target::Target;
use mailbox::Mailbox;
use staff::Operator;

/// Most come in the first seconds.
const ARRIVALS: Duration = Duration::from_secs(8);
/// Long enough that nobody's hold runs out during the demo.
const HOLD_SECONDS: u32 = 300;

const LINE_CHARS_MAX: usize = 96;

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
    let mut mailbox = Mailbox::open().await?;
    let options = StageOptions::whole(args.engines)
        .ack_level("fsync")
        .backoffice_env("SMTP_URL", mailbox.url());
    let target = Target::start(options).await?;
    say(&format!("     {}", target.described()));
    say(
        "2/5  the first admin is made by the command and signs in; an operator signs up, follows the link in his mail, gets his role, and signs in",
    );
    let mut operator = Operator::arrive(&target, &mut mailbox).await?;
    say(&format!(
        "     he writes down a product and a sale of it: {} units, one per person; then he opens it",
        args.stock
    ));
    operator.write_down(&target, &plan.offer).await?;
    if args.keep {
        say(&pages(&target, &plan, &operator)?);
        wait_for_the_reader().await?;
    }
    operator.open(&target, &plan.offer.live).await?;
    say(&format!(
        "3/5  {} people come within {} s; some double-click, retry, cancel, or lose the answer",
        args.people,
        ARRIVALS.as_secs()
    ));
    let finished = rush::run_open(&plan, &target, output.colour).await?;
    say("4/5  every answer was held against Redis and MySQL");
    let report = command::save(&finished, &output)?;
    let last_words = last_words(&finished, &report.display().to_string());
    if args.keep {
        say("5/5  the report is written");
        command::print(&last_words)?;
        say(&pages(&target, &plan, &operator)?);
        say("The pages stay until you press Ctrl-C.");
        tokio::signal::ctrl_c().await?;
        drop(target);
    } else {
        say("5/5  the report is written; the private servers stop");
        drop(target);
        command::print(&last_words)?;
    }
    command::finish(&finished.outcome, output.json)
}

/// Where the pages are, and how to sign in: the operator with the password of this demo, a buyer as a shop hands its own over, by a token in the
/// fragment, which no server sees. Both are good for this stage alone.
fn pages(target: &Target, plan: &Plan, operator: &Operator) -> Result<String> {
    let host = &target.backoffice.host;
    let sale = plan.offer.live.book_id();
    let (email, password) = operator.sign_in();
    let buyer = target.token(UserId::parse("ann")?, Role::Buyer);
    Ok(format!(
        "\n     the operator's page:                  http://{host}/#/sales/{sale}\n     \
              sign in with                          {email}   {password}\n\
         \n     the buyer's page, signed in as ann:   http://{host}/sales/{sale}#token={buyer}\n"
    ))
}

/// Who sits at a terminal opens the page first.
async fn wait_for_the_reader() -> Result<()> {
    if std::io::stdin().is_terminal() {
        say("     open the operator's page, then press Enter here to send the crowd");
        tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await??;
    }
    Ok(())
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
        keeps_receipts: false,
        checkout: false,
        seed: args.seed,
    })
}

fn last_words(finished: &Finished, report: &str) -> String {
    let story = wrapped(&report::story(
        &finished.history.header,
        &finished.outcome.summary,
    ));
    let text = report::text(&finished.outcome);
    format!(
        "\n{story}\n{text}report     {report}\n\n\
         What to try next:\n  \
           open the report in a browser\n  \
           target/release/doorbuster-loadtest rush --users 10000 --stock 100 --lose-every-answer\n  \
           target/release/doorbuster-loadtest coupon --users 10000 --coupons 100\n  \
           a first sale by hand, with curl: see README.md\n"
    )
}

/// Broken into lines of a terminal.
fn wrapped(text: &str) -> String {
    let (mut lines, mut length) = (String::new(), 0);
    for word in text.split_whitespace() {
        if length > 0 && length + 1 + word.len() > LINE_CHARS_MAX {
            lines.push('\n');
            length = 0;
        } else if length > 0 {
            lines.push(' ');
            length += 1;
        }
        lines.push_str(word);
        length += word.len();
    }
    lines.push('\n');
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_fits_a_terminal_and_loses_no_word() {
        let lines = wrapped(&"word ".repeat(100));
        assert!(lines.lines().all(|line| line.len() <= LINE_CHARS_MAX));
        assert_eq!(lines.split_whitespace().count(), 100);
    }
}
