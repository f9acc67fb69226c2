//! What people were told about their numbers, against each other and against Redis. Called by `judge`.

use std::collections::{HashMap, HashSet};

use doorbuster_core::ticket::{Lane, Place};

use super::judge::Facts;
use super::person::{Span, Story};
use crate::limits::LINE_RESTORED_BOUND;

/// Whoever asked for a number after another had one has a larger one, on whatever engine.
pub(super) fn out_of_order(facts: &Facts<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for lane in [Lane::Invite, Lane::General] {
        let given = given(facts).filter(|(_, place)| place.lane == lane);
        let mut asked: Vec<(Span, u32)> = given.map(|(at, place)| (at, place.number)).collect();
        let mut answered = asked.clone();
        asked.sort_unstable_by_key(|(at, _)| at.sent_us);
        answered.sort_unstable_by_key(|(at, _)| at.done_us);
        let (mut highest, mut known) = (0, answered.into_iter().peekable());
        for (at, number) in asked {
            while let Some((_, earlier)) = known.next_if(|(before, _)| before.done_us < at.sent_us)
            {
                highest = highest.max(earlier);
            }
            if number < highest {
                found.push(format!(
                    "number {number} was asked for after {highest} was given"
                ));
            }
        }
    }
    found
}

/// Every number with the answer that gave it.
fn given<'a>(facts: &Facts<'a>) -> impl Iterator<Item = (Span, Place)> + use<'a> {
    facts
        .stories
        .iter()
        .flat_map(|story| story.numbers.iter().copied())
}

pub(super) fn twice(facts: &Facts<'_>) -> Vec<String> {
    let mut seen = HashSet::new();
    let again = given(facts).filter(|(_, place)| !seen.insert(*place));
    let mut found: Vec<String> = again
        .map(|(_, place)| format!("two people were told number {place}"))
        .collect();
    let mut holders: HashMap<Place, &String> = HashMap::new();
    for (user, place) in &facts.state.places {
        if let Some(other) = holders.insert(*place, user) {
            found.push(format!("redis: {user} and {other} have number {place}"));
        }
    }
    found
}

/// A number stays its holder's until the place is used up, whatever breaks.
pub(super) fn lost(facts: &Facts<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for (story, user) in facts.stories.iter().zip(facts.users) {
        let Some((_, told)) = story.numbers.last() else {
            continue;
        };
        for other in &story.other_numbers {
            found.push(format!("{user} had number {told} and was told {other}"));
        }
        if story.ticket_refused > 0 {
            found.push(format!("{user}'s good ticket was refused"));
        }
        // Whoever was never heard of after a loss may be unknown to Redis: the ticket brings the place back.
        let is_back = facts
            .watched
            .broke_us
            .is_none_or(|broke| last_heard(story) > broke + LINE_RESTORED_BOUND.as_micros() as u64);
        match facts.state.places.get(user) {
            Some(place) if place != told => {
                found.push(format!("{user} was told {told}, redis has {place}"))
            }
            None if is_back => found.push(format!("{user} was told {told}, redis has nothing")),
            _ => {}
        }
    }
    found.extend(facts.state.unreadable.iter().cloned());
    found
}

fn last_heard(story: &Story) -> u64 {
    let waited = story.waited.map_or(0, |at| at.sent_us);
    waited.max(story.admitted.map_or(0, |at| at.sent_us))
}

pub(super) fn skipped(facts: &Facts<'_>) -> Vec<String> {
    let told: HashSet<Place> = given(facts).map(|(_, place)| place).collect();
    let known: HashSet<Place> = facts.state.places.values().copied().collect();
    let missing = (1..=facts.state.numbers)
        .map(Place::general)
        .filter(|place| !told.contains(place) && !known.contains(place));
    let missing: Vec<Place> = missing.collect();
    let over = (missing.len() as u64).saturating_sub(facts.state.gaps);
    missing
        .iter()
        .rev()
        .take(usize::try_from(over).unwrap_or(usize::MAX))
        .map(|place| format!("nobody has number {place}"))
        .collect()
}
