//! Notices, which save waiting: units of a sku that had nothing left came back; the books of a sale have got further. Each is
//! a hint: a lost one costs a look at Redis.

use fred::clients::SubscriberClient;
use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use fred::types::Builder;
use tokio::sync::mpsc;

use super::{GateError, connection};
use crate::ids::{LiveId, SkuId};
use crate::keys::Keys;
use crate::limits::{FLUSHED_CHANNEL, NOTICES_CHANNEL, NOTICES_MAX, REDIS_RESTART_PAUSE};

/// Units came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restocked {
    pub live: LiveId,
    pub sku: SkuId,
    /// The event that put units back.
    pub seq: u64,
}

/// The books have got further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flushed {
    pub live: LiveId,
    pub epoch: u32,
    /// The last event that they have.
    pub seq: u64,
}

/// Listens to restocks for as long as the receiver lives, through reconnects. When more arrive than are taken, the surplus is
/// dropped.
///
/// # Errors
/// [`GateError::Unavailable`] where `redis_url` is not one that fred accepts.
pub async fn listen(redis_url: &str) -> Result<mpsc::Receiver<Restocked>, GateError> {
    listen_to(redis_url, NOTICES_CHANNEL, restocked)
}

/// The same to how far the books are.
///
/// # Errors
/// As [`listen`].
pub async fn listen_to_books(redis_url: &str) -> Result<mpsc::Receiver<Flushed>, GateError> {
    listen_to(redis_url, FLUSHED_CHANNEL, flushed)
}

pub(super) fn listen_to<T: Send + 'static>(
    redis_url: &str,
    channel: &'static str,
    parse: fn(&str) -> Option<T>,
) -> Result<mpsc::Receiver<T>, GateError> {
    let (config, connection, performance, policy) = connection::settings(redis_url)?;
    let client = Builder::from_config(config)
        .set_connection_config(connection)
        .set_performance_config(performance)
        .set_policy(policy)
        .build_subscriber_client()
        .map_err(|e| GateError::Unavailable(e.to_string()))?;
    let (sender, receiver) = mpsc::channel(NOTICES_MAX);
    tokio::spawn(forward(client, channel, parse, sender));
    Ok(receiver)
}

async fn forward<T>(
    client: SubscriberClient,
    channel: &'static str,
    parse: fn(&str) -> Option<T>,
    sender: mpsc::Sender<T>,
) {
    let mut messages = client.message_rx();
    let _connection = client.connect();
    let _resubscriber = client.manage_subscriptions();
    // The resubscriber knows only what was subscribed once, so the first time has to succeed.
    while client.subscribe(channel).await.is_err() && !sender.is_closed() {
        tokio::time::sleep(REDIS_RESTART_PAUSE).await;
    }
    loop {
        tokio::select! {
            () = sender.closed() => break,
            message = messages.recv() => match message {
                Ok(message) => {
                    let text = message.value.into_string().unwrap_or_default();
                    if let Some(notice) = parse(&text) {
                        let _ = sender.try_send(notice);
                    }
                }
                Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                Err(tokio::sync::broadcast::error::RecvError::Closed) => break,
            },
        }
    }
    let _ = client.quit().await;
}

fn restocked(text: &str) -> Option<Restocked> {
    let mut parts = text.split(' ');
    let live = Keys::live_id(parts.next()?)?;
    let sku = SkuId::parse(parts.next()?).ok()?;
    Some(Restocked {
        live,
        sku,
        seq: parts.next()?.parse().ok()?,
    })
}

fn flushed(text: &str) -> Option<Flushed> {
    let mut parts = text.split(' ');
    Some(Flushed {
        live: Keys::live_id(parts.next()?)?,
        epoch: parts.next()?.parse().ok()?,
        seq: parts.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SaleId;

    #[test]
    fn a_notice_names_its_sale_and_seq() {
        let live = LiveId::Sale(SaleId::parse("drop-1").unwrap());
        let sku = SkuId::parse("tee").unwrap();
        assert_eq!(
            restocked("{sale:drop-1}:sale tee 12"),
            Some(Restocked {
                live: live.clone(),
                sku,
                seq: 12
            })
        );
        assert_eq!(restocked("drop-1 tee 12"), None);
        let (epoch, seq) = (2, 30);
        assert_eq!(
            flushed("{sale:drop-1}:sale 2 30"),
            Some(Flushed { live, epoch, seq })
        );
        assert_eq!(flushed("{sale:drop-1}:sale 2"), None);
    }
}
