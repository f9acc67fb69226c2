//! Restock notices: a sku that had nothing left has something again. A hint that saves waiting; a lost one costs a re-check.

use fred::clients::SubscriberClient;
use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use fred::types::Builder;
use tokio::sync::mpsc;

use super::{GateError, connection};
use crate::ids::{LiveId, SkuId};
use crate::keys::Keys;
use crate::limits::{NOTICES_CHANNEL, NOTICES_MAX, REDIS_RESTART_PAUSE};

/// One notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restocked {
    pub live: LiveId,
    pub sku: SkuId,
    /// The event that put units back.
    pub seq: u64,
}

/// Listens for as long as the receiver lives, through reconnects. When more arrive than are taken, the surplus is dropped.
///
/// # Errors
/// [`GateError::Unavailable`] where `redis_url` is not one that fred accepts.
pub async fn listen(redis_url: &str) -> Result<mpsc::Receiver<Restocked>, GateError> {
    let (config, connection, performance, policy) = connection::settings(redis_url)?;
    let client = Builder::from_config(config)
        .set_connection_config(connection)
        .set_performance_config(performance)
        .set_policy(policy)
        .build_subscriber_client()
        .map_err(|e| GateError::Unavailable(e.to_string()))?;
    let (sender, receiver) = mpsc::channel(NOTICES_MAX);
    tokio::spawn(forward(client, sender));
    Ok(receiver)
}

async fn forward(client: SubscriberClient, sender: mpsc::Sender<Restocked>) {
    let mut messages = client.message_rx();
    let _connection = client.connect();
    let _resubscriber = client.manage_subscriptions();
    // The resubscriber knows only what was subscribed once, so the first time has to succeed.
    while client.subscribe(NOTICES_CHANNEL).await.is_err() && !sender.is_closed() {
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

fn parse(text: &str) -> Option<Restocked> {
    let mut parts = text.split(' ');
    let live = Keys::live_id(parts.next()?)?;
    let sku = SkuId::parse(parts.next()?).ok()?;
    Some(Restocked {
        live,
        sku,
        seq: parts.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SaleId;

    #[test]
    fn a_notice_names_sale_sku_and_seq() {
        let live = LiveId::Sale(SaleId::parse("drop-1").unwrap());
        let sku = SkuId::parse("tee").unwrap();
        assert_eq!(
            parse("{sale:drop-1}:sale tee 12"),
            Some(Restocked { live, sku, seq: 12 })
        );
        assert_eq!(parse("drop-1 tee 12"), None);
    }
}
