//! A cache that several back-offices share: plain keys, each with a life, that no script and no sale knows.
//!
//! Owner: the back-office, alone (`backoffice/src/shop/cache`). What is in it is copied from MySQL, bounded in size and number by
//! its owner, and may be gone at any time. A change is told to all on one channel; a lost notice costs staleness until the
//! life ends.

use std::time::Duration;

use fred::types::Value;
use tokio::sync::mpsc;

use super::reads::broken;
use super::{Gate, GateError, notices};
use crate::limits::CACHE_CHANNEL;

/// Before each name.
const PREFIX: &str = "doorbuster:cache:";

/// Something that is cached has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    pub name: String,
    /// What has a lower version is of before the change.
    pub version: u64,
}

impl Gate {
    /// # Errors
    /// [`GateError`].
    pub async fn cached(&self, name: &str) -> Result<Option<String>, GateError> {
        let key = key(name);
        match self.command("GET", Some(&key), vec![key.clone()]).await? {
            Value::Null => Ok(None),
            value => value
                .into_string()
                .map(Some)
                .ok_or_else(|| broken("a cached text")),
        }
    }

    /// Keeps `text`, in the place of what is there.
    ///
    /// # Errors
    /// [`GateError`].
    pub async fn cache(&self, name: &str, text: String, life: Duration) -> Result<(), GateError> {
        self.keep(name, text, life, &[]).await
    }

    /// Keeps `text` where nothing is yet: a reader must not overwrite what a writer has put there since it looked.
    ///
    /// # Errors
    /// [`GateError`].
    pub async fn cache_if_absent(
        &self,
        name: &str,
        text: String,
        life: Duration,
    ) -> Result<(), GateError> {
        self.keep(name, text, life, &["NX"]).await
    }

    async fn keep(
        &self,
        name: &str,
        text: String,
        life: Duration,
        further: &[&str],
    ) -> Result<(), GateError> {
        let key = key(name);
        let mut args = vec![
            key.clone(),
            text,
            "PX".to_owned(),
            life.as_millis().to_string(),
        ];
        args.extend(further.iter().map(|word| (*word).to_owned()));
        self.command("SET", Some(&key), args).await.map(drop)
    }

    /// # Errors
    /// [`GateError`].
    pub async fn forget_cached(&self, name: &str) -> Result<(), GateError> {
        let key = key(name);
        self.command("DEL", Some(&key), vec![key.clone()])
            .await
            .map(drop)
    }

    /// Tells every back-office.
    ///
    /// # Errors
    /// [`GateError`].
    pub async fn tell_changed(&self, changed: &Changed) -> Result<(), GateError> {
        let text = format!("{} {}", changed.version, changed.name);
        self.command("PUBLISH", None, vec![CACHE_CHANNEL.to_owned(), text])
            .await
            .map(drop)
    }
}

/// Listens to changes for as long as the receiver lives, through reconnects.
///
/// # Errors
/// [`GateError::Unavailable`] where `redis_url` is not one that fred accepts.
pub async fn listen(redis_url: &str) -> Result<mpsc::Receiver<Changed>, GateError> {
    notices::listen_to(redis_url, CACHE_CHANNEL, changed)
}

fn key(name: &str) -> String {
    [PREFIX, name].concat()
}

fn changed(text: &str) -> Option<Changed> {
    let (version, name) = text.split_once(' ')?;
    Some(Changed {
        name: name.to_owned(),
        version: version.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_names_what_has_changed_and_its_version() {
        let told = Changed {
            name: "product:mug".to_owned(),
            version: 3,
        };
        assert_eq!(changed("3 product:mug"), Some(told));
        assert_eq!(changed("product:mug"), None);
        assert_eq!(key("categories"), "doorbuster:cache:categories");
    }
}
