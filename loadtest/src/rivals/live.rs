//! Redis as the rivals use it: several connections, each pipelined by the client library, and one text per order.
//! Called by `redis_lock` and `redis_lua`.

use anyhow::{Context, Result};
use doorbuster_core::ids::BodyHash;
use fred::clients::Pool;
use fred::interfaces::ClientLike;
use fred::types::config::{
    Config, ConnectionConfig, PerformanceConfig, ReconnectPolicy, TcpConfig,
};

use super::way::{Order, Placed, Standing};
use crate::limits::{RECONNECT_PAUSE_MS, RIVAL_REDIS_TIMEOUT};

/// Connects all at once, so that no buyer waits for it.
pub(crate) async fn open(redis_url: &str, connections: u32) -> Result<Pool> {
    let config = Config::from_url(redis_url).context("REDIS_URL")?;
    let connection = ConnectionConfig {
        // An unanswered command is the buyer's to repeat.
        max_command_attempts: 1,
        tcp: TcpConfig {
            nodelay: Some(true),
            ..TcpConfig::default()
        },
        ..ConnectionConfig::default()
    };
    let performance = PerformanceConfig {
        default_command_timeout: RIVAL_REDIS_TIMEOUT,
        ..PerformanceConfig::default()
    };
    let policy = ReconnectPolicy::new_constant(0, RECONNECT_PAUSE_MS);
    let pool = Pool::new(
        config,
        Some(performance),
        Some(connection),
        Some(policy),
        connections as usize,
    )?;
    pool.init()
        .await
        .context("REDIS_URL: redis cannot be reached")?;
    Ok(pool)
}

/// What Redis keeps of an order, but for its number: `<deadline_ms>|<quantity>|<body hash>|<user>|<key>`. The number goes
/// in front, with a `|`; the key comes last because it may itself contain one.
pub(crate) fn record(order: &Order) -> String {
    let body = u128::from_be_bytes(*order.body.as_bytes());
    let (user, key) = (order.user.as_str(), order.key.as_str());
    let (deadline_ms, quantity) = (order.deadline_ms, order.line.quantity);
    format!("{deadline_ms}|{quantity}|{body:032x}|{user}|{key}")
}

/// The order that a record with its number stands for.
pub(crate) fn standing(record: &str) -> Option<Standing> {
    let mut parts = record.split('|');
    let number = parts.next()?.parse().ok()?;
    let deadline_ms = parts.next()?.parse().ok()?;
    let body = u128::from_str_radix(parts.nth(1)?, 16).ok()?;
    Some(Standing {
        placed: Placed {
            number,
            deadline_ms,
        },
        body: BodyHash::from_bytes(body.to_be_bytes()),
    })
}

#[cfg(test)]
mod tests {
    use doorbuster_core::ids::{IdempotencyKey, LiveId, ReservationId, SaleId, SkuId, UserId};
    use doorbuster_core::record::Line;

    use super::*;

    #[test]
    fn a_record_is_read_back_whatever_the_key() {
        let body = BodyHash::of(b"tee=1,");
        let order = Order {
            id: ReservationId::from_bytes([7; 16]),
            sale: LiveId::Sale(SaleId::parse("drop-1").unwrap()),
            user: UserId::parse("ann").unwrap(),
            key: IdempotencyKey::parse("a|b|c").unwrap(),
            line: Line {
                sku: SkuId::parse("tee").unwrap(),
                quantity: 1,
            },
            body,
            deadline_ms: 5,
        };
        let placed = Placed {
            number: 9,
            deadline_ms: 5,
        };
        let text = format!("9|{}", record(&order));
        assert_eq!(standing(&text), Some(Standing { placed, body }));
        assert_eq!(standing("9|5"), None);
    }
}
