//! The part of the cache that back-offices share, in Redis. The sales live there too, so it is kept small: lives are short, large
//! answers stay out, and only so many are put there in a second. A Redis that does not answer at once is left alone for a
//! moment: MySQL is asked instead.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use doorbuster_core::clock;
use doorbuster_core::gate::cache::Changed;
use doorbuster_core::gate::{Gate, GateError};
use tokio::time::timeout;

use super::{Entry, jittered};
use crate::limits::{
    CACHE_FAR_BYTES_MAX, CACHE_FAR_LIFE, CACHE_FAR_PAUSE, CACHE_FAR_PUTS_MAX, CACHE_FAR_TIMEOUT,
    CACHE_NEAR_LIFE,
};

#[derive(Debug)]
pub(crate) struct Far {
    gate: Gate,
    /// Milliseconds of our clock until which Redis is left alone.
    away_until: AtomicU64,
    /// The second, and how many have been put in it.
    puts: AtomicU64,
}

impl Far {
    pub(crate) fn new(gate: Gate) -> Self {
        Self {
            gate,
            away_until: AtomicU64::new(0),
            puts: AtomicU64::new(0),
        }
    }

    pub(crate) async fn get(&self, key: &str) -> Option<Entry> {
        let text = self.ask(self.gate.cached(key)).await??;
        read(&text)
    }

    /// What a reader has found, unless a writer has put something there meanwhile.
    pub(crate) async fn offer(&self, key: &str, entry: &Entry) {
        if let Some(text) = self.fitting(entry) {
            self.ask(
                self.gate
                    .cache_if_absent(key, text, jittered(CACHE_FAR_LIFE)),
            )
            .await;
        }
    }

    /// What a writer has made of it.
    pub(crate) async fn replace(&self, key: &str, entry: &Entry) {
        match self.fitting(entry) {
            Some(text) => {
                self.ask(self.gate.cache(key, text, jittered(CACHE_FAR_LIFE)))
                    .await;
            }
            None => self.forget(key).await,
        }
    }

    pub(crate) async fn forget(&self, key: &str) {
        self.ask(self.gate.forget_cached(key)).await;
    }

    pub(crate) async fn tell(&self, changed: &Changed) {
        self.ask(self.gate.tell_changed(changed)).await;
    }

    fn fitting(&self, entry: &Entry) -> Option<String> {
        let shared = Some(entry).filter(|entry| entry.is_shared)?;
        let text = written(shared).filter(|text| text.len() <= CACHE_FAR_BYTES_MAX)?;
        self.may_put(clock::now_s()).then_some(text)
    }

    /// The second is in the upper half of the word, the count in the lower.
    fn may_put(&self, second: u64) -> bool {
        let next = |word: u64| {
            let count = if word >> 32 == second & 0xFFFF_FFFF {
                word & 0xFFFF_FFFF
            } else {
                0
            };
            (count < CACHE_FAR_PUTS_MAX).then_some(((second & 0xFFFF_FFFF) << 32) | (count + 1))
        };
        self.puts
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
            .is_ok()
    }

    async fn ask<T>(&self, call: impl Future<Output = Result<T, GateError>>) -> Option<T> {
        if clock::now_ms() < self.away_until.load(Ordering::Relaxed) {
            return None;
        }
        if let Ok(Ok(answer)) = timeout(CACHE_FAR_TIMEOUT, call).await {
            return Some(answer);
        }
        let pause = u64::try_from(CACHE_FAR_PAUSE.as_millis()).unwrap_or(0);
        self.away_until
            .store(clock::now_ms() + pause, Ordering::Relaxed);
        None
    }
}

/// `<version> <product_no>`, a line end, the body. What there is not is not kept here.
fn written(entry: &Entry) -> Option<String> {
    let body = std::str::from_utf8(entry.body.as_ref()?).ok()?;
    Some(format!("{} {}\n{body}", entry.version, entry.product_no))
}

fn read(text: &str) -> Option<Entry> {
    let (head, body) = text.split_once('\n')?;
    let (version, product_no) = head.split_once(' ')?;
    Some(Entry {
        version: version.parse().ok()?,
        body: Some(Bytes::copy_from_slice(body.as_bytes())),
        product_no: product_no.parse().ok()?,
        life: near_life(),
        is_shared: true,
    })
}

pub(crate) fn near_life() -> Duration {
    jittered(CACHE_NEAR_LIFE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_there_is_read_back() {
        let entry = Entry {
            version: 7,
            body: Some(Bytes::from_static(b"{\"a\":\n1}")),
            product_no: 3,
            life: Duration::ZERO,
            is_shared: true,
        };
        let back = read(&written(&entry).unwrap()).unwrap();
        assert_eq!(
            (back.version, back.body, back.product_no),
            (7, entry.body, 3)
        );
        for bad in ["", "1 2", "x 2\n{}", "1\n{}"] {
            assert!(read(bad).is_none(), "{bad}");
        }
    }
}
