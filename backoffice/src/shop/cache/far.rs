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

use super::{Entry, jittered, left};
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
            let life = left(jittered(CACHE_FAR_LIFE), entry.ends_ms);
            self.ask(self.gate.cache_if_absent(key, text, life)).await;
        }
    }

    /// What a writer has made of it.
    pub(crate) async fn replace(&self, key: &str, entry: &Entry) {
        match self.fitting(entry) {
            Some(text) => {
                let life = left(jittered(CACHE_FAR_LIFE), entry.ends_ms);
                self.ask(self.gate.cache(key, text, life)).await;
            }
            None => self.forget(key).await,
        }
    }

    pub(crate) async fn forget(&self, key: &str) {
        self.ask(self.gate.forget_cached(key)).await;
    }

    /// Whether Redis took it. Asked even while Redis is left alone otherwise: nobody else can tell them.
    pub(crate) async fn tell(&self, changed: &Changed) -> bool {
        let told = timeout(CACHE_FAR_TIMEOUT, self.gate.tell_changed(changed)).await;
        matches!(told, Ok(Ok(())))
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

/// `<version> <product_no> <ends_ms or 0>`, a line end, the body. What there is not is not kept here.
fn written(entry: &Entry) -> Option<String> {
    let body = std::str::from_utf8(entry.body.as_ref()?).ok()?;
    let ends_ms = entry.ends_ms.unwrap_or(0);
    let (version, product_no) = (entry.version, entry.product_no);
    Some(format!("{version} {product_no} {ends_ms}\n{body}"))
}

fn read(text: &str) -> Option<Entry> {
    let (head, body) = text.split_once('\n')?;
    let mut words = head.split(' ').map(|word| word.parse::<u64>().ok());
    let mut next = || words.next().flatten();
    let (version, product_no, ends_ms) = (next()?, next()?, next()?);
    let ends_ms = Some(ends_ms).filter(|ends_ms| *ends_ms > 0);
    if ends_ms.is_some_and(|ends_ms| ends_ms <= clock::now_ms()) {
        return None;
    }
    let entry = Entry {
        version,
        body: Some(Bytes::copy_from_slice(body.as_bytes())),
        product_no: u32::try_from(product_no).ok()?,
        ends_ms: None,
        life: near_life(),
        is_shared: true,
    };
    Some(entry.until(ends_ms))
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
            ends_ms: Some(clock::now_ms() + 2_000),
            life: Duration::ZERO,
            is_shared: true,
        };
        let back = read(&written(&entry).unwrap()).unwrap();
        assert!(back.life <= Duration::from_secs(2));
        assert_eq!(
            (back.version, back.body, back.product_no, back.ends_ms),
            (7, entry.body.clone(), 3, entry.ends_ms)
        );
        let over = Entry {
            ends_ms: Some(1),
            ..entry
        };
        assert!(read(&written(&over).unwrap()).is_none());
        for bad in ["", "1 2 0", "x 2 0\n{}", "1\n{}", "1 2\n{}"] {
            assert!(read(bad).is_none(), "{bad}");
        }
    }
}
