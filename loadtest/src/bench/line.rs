//! A million people in one line: joins and polls a second beside the bare server, what a poll costs Redis, and what Redis keeps.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use doorbuster_core::clock;
use doorbuster_core::line::LineDraft;
use tokio::time::sleep;

use super::arena::{Arena, us_each};
use super::goals::Goal;
use crate::args::BenchArgs;
use crate::client::endpoint::Endpoint;
use crate::client::request::Requests;
use crate::command;
use crate::limits::{
    BENCH_BARE_SECONDS, BENCH_LINE_FILL_MAX, BENCH_LINE_JOINED, BENCH_LINE_PEOPLE,
    BENCH_LINE_POLLED, BENCH_LINE_REST, BENCH_TURN, BENCH_TURNS,
};
use crate::line::view::View;
use crate::load::volley::Fired;
use crate::load::{Buyers, Heard, Volley, fire};
use crate::plan::{Offer, Room, Scenario};
use crate::rivals::Name;
use crate::rush::say;
use crate::setup;

pub(super) async fn run(args: &BenchArgs) -> Result<Vec<Goal>> {
    let arena = Arena::start(&[]).await?;
    let bare = arena.guest(Name::Bare).await?;
    let offer = offer();
    setup::open(&arena.target, &offer, arena.sources.redis()).await?;
    let people = Arc::new(Buyers::new(&arena.target, "l", BENCH_LINE_PEOPLE));
    let line = Line {
        arena: &arena,
        bare: &bare,
        offer: &offer,
        people,
    };
    let (joins, tickets) = line.joins(args.rounds).await?;
    let bytes = arena.sources.redis().line_bytes(&offer.live).await?;
    let megabytes = bytes as f64 / 1e6;
    say(&format!(
        "line: {megabytes:.1} MB for {} people",
        tickets.len()
    ));
    let (polls, commands) = line.polls(args.rounds * BENCH_TURNS, tickets).await?;
    Ok(vec![
        Goal::at_least("joins beside the bare server", 0.35, &joins, "×"),
        Goal::at_most(
            "Redis memory of a line of 1,000,000 people",
            100.0,
            &[megabytes],
            "MB",
        ),
        Goal::at_least("polls beside the bare server", 0.8, &polls, "×"),
        // Two decimals of nothing: what is left are the engine's own looks at the line.
        Goal::at_most("Redis commands per poll", 0.01, &commands, ""),
    ])
}

/// Early people only: nobody is admitted while they are counted.
fn offer() -> Offer {
    let opens_ms = clock::now_ms() + 6 * 3_600_000;
    let line = LineDraft::default();
    Offer {
        room: Some(Room { line, opens_ms }),
        ..Offer::sale(&command::name(Scenario::Line))
    }
}

struct Line<'a> {
    arena: &'a Arena,
    bare: &'a super::arena::Guest,
    offer: &'a Offer,
    people: Arc<Buyers>,
}

impl Line<'_> {
    /// How joins compare in each round; then all are in line, with these tickets.
    async fn joins(&self, rounds: u32) -> Result<(Vec<f64>, Vec<String>)> {
        let mut ratios = Vec::new();
        let mut tickets = vec![String::new(); BENCH_LINE_PEOPLE as usize];
        let engine = &self.arena.target.engines[0];
        let mut volley = self.volley(Requests::joining(engine, &self.offer.live));
        let mut seen = 0;
        for round in 1..=rounds {
            // Enough that the rounds to come have people left who are not in line.
            volley.requests_max = u64::from(BENCH_LINE_JOINED.min(BENCH_LINE_PEOPLE / rounds));
            let alike = self.at_bare(&volley, |bare| Requests::joining(bare, &self.offer.live));
            let ours = async {
                let before = self.arena.spent();
                let fired = fire(volley.clone()).await?;
                Ok((fired, self.arena.spent().since(before)))
            };
            let ((fired, spent), yardstick) = Arena::beside(alike, Fired::rate, ours).await?;
            say(&format!(
                "joins {round}: {:.0}/s beside {yardstick:.0}/s bare, engine {:.1} redis {:.1} µs each",
                fired.rate(),
                us_each(spent.engine, fired.accepted()),
                us_each(spent.redis, fired.accepted())
            ));
            ratios.push(fired.rate() / yardstick);
            seen += fired.shots.len() as u64;
            keep(fired, &mut tickets)?;
            volley.first = seen;
        }
        volley.requests_max = u64::from(BENCH_LINE_PEOPLE) - seen;
        volley.lasting = BENCH_LINE_FILL_MAX;
        if volley.requests_max > 0 {
            keep(fire(volley).await?, &mut tickets)?;
        }
        Ok((ratios, tickets))
    }

    /// How polls compare in each turn, and what a poll costs Redis in commands. Nobody polls twice in a turn, or before being told to.
    async fn polls(&self, turns: u32, tickets: Vec<String>) -> Result<(Vec<f64>, Vec<f64>)> {
        let (mut ratios, mut commands) = (Vec::new(), Vec::new());
        let engine = &self.arena.target.engines[0];
        let tickets: Arc<[String]> = tickets.into();
        let mut volley = self.volley(Requests::polling(
            engine,
            &self.offer.live,
            Arc::clone(&tickets),
        ));
        volley.requests_max = u64::from(BENCH_LINE_POLLED);
        volley.lasting = BENCH_TURN;
        // As the line asks of those far behind.
        sleep(BENCH_LINE_REST).await;
        let redis = self.arena.sources.redis();
        let before = redis.commands().await?;
        sleep(BENCH_BARE_SECONDS).await;
        let idle = (redis.commands().await? - before) as f64 / BENCH_BARE_SECONDS.as_secs_f64();
        for turn in 1..=turns {
            if volley.first + volley.requests_max > u64::from(BENCH_LINE_PEOPLE) {
                volley.first = 0;
                sleep(BENCH_LINE_REST).await;
            }
            let alike = self.at_bare(&volley, |bare| {
                Requests::polling(bare, &self.offer.live, Arc::clone(&tickets))
            });
            let ours = async {
                let (before, spent) = (redis.commands().await?, self.arena.spent());
                let fired = fire(volley.clone()).await?;
                let spent = self.arena.spent().since(spent);
                Ok((fired, redis.commands().await? - before, spent))
            };
            let ((fired, asked, spent), yardstick) =
                Arena::beside(alike, Fired::rate, ours).await?;
            ensure!(
                fired.accepted() == fired.shots.len() as u64,
                "{} polls were refused",
                fired.shots.len() as u64 - fired.accepted()
            );
            let idle = idle * fired.elapsed.as_secs_f64();
            let each = (asked as f64 - idle).max(0.0) / fired.accepted() as f64;
            say(&format!(
                "polls {turn}: {:.0}/s beside {yardstick:.0}/s bare, engine {:.1} µs each; {asked} commands of Redis meanwhile, {idle:.0} without polls",
                fired.rate(),
                us_each(spent.engine, fired.accepted())
            ));
            ratios.push(fired.rate() / yardstick);
            commands.push(each);
            volley.first += fired.shots.len() as u64;
        }
        Ok((ratios, commands))
    }

    fn volley(&self, requests: Requests) -> Volley {
        let mut volley = self
            .arena
            .volley(self.offer, &self.people, BENCH_BARE_SECONDS);
        volley.servers = vec![(self.arena.target.engines[0].clone(), vec![requests])];
        volley
    }

    /// The same requests at the bare server.
    fn at_bare(&self, volley: &Volley, requests: impl Fn(&Endpoint) -> Requests) -> Volley {
        let bare = self.bare.endpoint();
        Volley {
            servers: vec![(bare.clone(), vec![requests(bare)])],
            ..volley.clone()
        }
    }
}

/// Everyone's ticket, by number of request.
fn keep(fired: Fired, tickets: &mut [String]) -> Result<()> {
    for shot in fired.shots {
        let Heard::Accepted(_, body) = &shot.heard else {
            bail!("a join was answered with {:?}", shot.heard);
        };
        let view: View = serde_json::from_slice(body)?;
        let ticket = view
            .ticket
            .context("a join was answered without a ticket")?;
        tickets[shot.request as usize] = ticket;
    }
    Ok(())
}
