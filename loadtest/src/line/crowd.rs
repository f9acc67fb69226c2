//! Who comes to a line, when, and how they behave: drawn from a seed before the start. Called by `run`.

use std::time::Duration;

use doorbuster_core::claims::Role;
use doorbuster_core::ids::UserId;
use rand::rngs::{SmallRng, StdRng};
use rand::{Rng, SeedableRng};

use super::LinePlan;
use super::person::{Kind, Person};
use crate::client::connection::Connection;
use crate::limits::{LINE_BOT_CONNECTIONS, LINE_DOORSTEP, LINE_HOARD_MAX, LINE_RELOADERS};
use crate::schedule::Arrivals;
use crate::target::Target;

/// Everyone, bots last; those who are early come until `opens_us`, the others from then on.
pub fn gather(plan: &LinePlan, opens_us: u64, target: &Target) -> Vec<Person> {
    let mut rng = StdRng::seed_from_u64(plan.seed);
    let early = plan.early_people();
    let before = Duration::from_micros(opens_us).saturating_sub(LINE_DOORSTEP);
    let mut dues = Arrivals::Poisson(before).starts(early as usize, rng.random());
    let after =
        Arrivals::Poisson(plan.arriving).starts((plan.people - early) as usize, rng.random());
    let opens = Duration::from_micros(opens_us);
    dues.extend(after.into_iter().map(|due| opens + due));
    let person = |(number, due): (usize, Duration)| {
        let user = user(number);
        let token = target.token(user.clone(), Role::Buyer);
        let due_us = micros(due);
        let leaves_us = due_us + micros(plan.arriving.mul_f64(rng.random()));
        let is_bot = number + plan.bots as usize >= plan.people as usize;
        let kind = match rng.random::<f64>() {
            _ if is_bot => Kind::Bot,
            roll if roll < plan.leavers => Kind::Leaver(leaves_us),
            roll if roll < plan.leavers + LINE_RELOADERS => Kind::Reloader,
            _ => Kind::Patient,
        };
        let mut person = Person::new(
            user,
            token,
            kind,
            due_us,
            SmallRng::seed_from_u64(rng.random()),
        );
        person.engine = number;
        person
    };
    dues.into_iter().enumerate().map(person).collect()
}

/// Connections that bots open and never use, in the hope that others find none.
pub async fn hoard(plan: &LinePlan, target: &Target) -> Vec<Connection> {
    let wanted = (plan.bots as usize * LINE_BOT_CONNECTIONS).min(LINE_HOARD_MAX);
    let mut held = Vec::with_capacity(wanted);
    for engine in target.engines.iter().cycle().take(wanted) {
        // Whoever is turned away has lost nothing.
        held.extend(Connection::open(engine.address).await);
    }
    held
}

fn user(number: usize) -> UserId {
    UserId::parse(format!("person-{number:07}")).expect("letters and digits")
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
