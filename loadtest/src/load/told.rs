//! Makes what the light client was told into a history that `audit` can judge.

use std::collections::HashMap;

use crate::client::answer::understand;
use crate::client::connection::{Response, Then};
use crate::crowd::Behaviour;
use crate::history::{Answer, Ask, Client, Seen, Verb};

use super::volley::Fired;
use super::{Buyers, Heard, Shot};

/// One client per request, with all that was heard about it, in the order of the requests.
pub fn clients(fired: Vec<Fired>, buyers: &Buyers) -> Vec<Client> {
    let mut by_request: HashMap<u64, Client> = HashMap::new();
    let origin = fired.iter().map(|fired| fired.start).min();
    for volley in fired {
        let offset_us = origin.map_or(0, |origin| (volley.start - origin).as_micros() as u64);
        for shot in volley.shots {
            let client = by_request.entry(shot.request).or_insert_with(|| Client {
                user: buyers.user(shot.request).clone(),
                key: buyers.key(shot.request).as_str().to_owned(),
                behaviour: Behaviour::Plain,
                due_us: shot.due_us + offset_us,
                asks: Vec::new(),
                purchase: None,
            });
            client.asks.push(ask(shot, offset_us));
        }
    }
    let mut requests: Vec<(u64, Client)> = by_request.into_iter().collect();
    requests.sort_unstable_by_key(|(request, _)| *request);
    requests.into_iter().map(|(_, client)| client).collect()
}

fn ask(shot: Shot, offset_us: u64) -> Ask {
    let seen = match shot.heard {
        Heard::Accepted(status, body) => Seen::Answered(Box::new(understand(&Response {
            status,
            retry_after_s: None,
            body: &body,
            then: Then::Reuse,
        }))),
        Heard::Refused(status, code) => Seen::Answered(Box::new(Answer {
            status,
            code: (!code.is_empty()).then(|| code.into()),
            ..Answer::default()
        })),
        Heard::Broken(why) => Seen::Broken(why),
    };
    Ask {
        verb: Verb::Take,
        engine: shot.server.into(),
        sent_us: shot.sent_us + offset_us,
        done_us: shot.done_us + offset_us,
        seen,
    }
}
