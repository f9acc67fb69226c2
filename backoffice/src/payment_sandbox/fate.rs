//! What becomes of a charge and of its webhooks: by its token, else by its amount, else by the script.

use std::time::Duration;

use uuid::Uuid;

use super::script::Script;
use super::wire::ChargeRequest;

/// Of a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Capture,
    Decline(&'static str),
    /// Captured, and answered so much later.
    Slow(Duration),
    /// Captured, and never answered.
    Silent,
    /// Captured; the first request is never answered.
    SilentOnce,
    /// Captured; the first request is answered by 500.
    ErrorOnce,
    /// The first request is answered by 503 and does nothing.
    BusyOnce,
    /// So is every one.
    Busy,
    /// Decided so much later.
    Pending {
        wait: Duration,
        declined: bool,
    },
    /// Captured so much later, also where it was voided meanwhile.
    Stray(Duration),
    WrongAmount,
    WrongCurrency,
}

/// Of its webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HookFate {
    Plain,
    Duplicate,
    /// Told a while later, after whatever happened meanwhile.
    Reordered,
    Late(Duration),
    /// First with a bad signature.
    Unsigned,
    Lost,
}

/// A wait that a token names is no longer than this.
const MS_MAX: u64 = 600_000;

impl Fate {
    pub(crate) fn of(script: &Script, key: Uuid, request: &ChargeRequest) -> Self {
        of_token(&request.token)
            .or_else(|| of_amount(request.amount.amount))
            .unwrap_or_else(|| script.fate(key))
    }
}

impl HookFate {
    pub(crate) fn of(script: &Script, key: Uuid, token: &str) -> Self {
        match token.strip_prefix("tok_hook_") {
            Some("duplicate") => Self::Duplicate,
            Some("reordered") => Self::Reordered,
            Some("unsigned") => Self::Unsigned,
            Some("lost") => Self::Lost,
            Some(rest) => rest
                .strip_prefix("late_")
                .and_then(ms)
                .map_or(Self::Plain, Self::Late),
            None => script.hook_fate(key),
        }
    }
}

fn of_token(token: &str) -> Option<Fate> {
    let word = token.strip_prefix("tok_")?;
    Some(match word {
        "decline" => Fate::Decline("declined"),
        "insufficient" => Fate::Decline("insufficient_funds"),
        "timeout" => Fate::Silent,
        "timeout_once" => Fate::SilentOnce,
        "500" => Fate::ErrorOnce,
        "busy" => Fate::BusyOnce,
        "outage" => Fate::Busy,
        "wrong_amount" => Fate::WrongAmount,
        "wrong_currency" => Fate::WrongCurrency,
        _ if word.starts_with("hook_") => Fate::Capture,
        _ => {
            let after = |prefix: &str| word.strip_prefix(prefix).and_then(ms);
            if let Some(wait) = after("slow_") {
                Fate::Slow(wait)
            } else if let Some(wait) = after("stray_") {
                Fate::Stray(wait)
            } else if let Some(wait) = after("pending_decline_") {
                Fate::Pending {
                    wait,
                    declined: true,
                }
            } else {
                let wait = after("pending_")?;
                Fate::Pending {
                    wait,
                    declined: false,
                }
            }
        }
    })
}

fn of_amount(amount: i64) -> Option<Fate> {
    Some(match amount {
        990_001 => Fate::Decline("declined"),
        990_002 => Fate::Decline("insufficient_funds"),
        990_003 => Fate::SilentOnce,
        990_004 => Fate::ErrorOnce,
        990_005 => Fate::WrongAmount,
        990_006 => Fate::BusyOnce,
        _ => return None,
    })
}

fn ms(text: &str) -> Option<Duration> {
    let ms: u64 = text.parse().ok().filter(|ms| *ms <= MS_MAX)?;
    Some(Duration::from_millis(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_wins_over_an_amount_and_that_over_the_script() {
        let script: Script = "decline=100%,lost=100%".parse().unwrap();
        let fate = |token: &str, amount: i64| {
            let json = serde_json::json!({"order": "o", "method": "card", "token": token, "amount": {"amount": amount, "currency": "KRW"}});
            Fate::of(&script, Uuid::nil(), &serde_json::from_value(json).unwrap())
        };
        let ms = Duration::from_millis;
        assert_eq!(fate("tok_timeout", 990_001), Fate::Silent);
        assert_eq!(fate("tok_x", 990_004), Fate::ErrorOnce);
        assert_eq!(fate("tok_x", 1), Fate::Decline("declined"));
        assert_eq!(fate("tok_slow_15", 1), Fate::Slow(ms(15)));
        assert_eq!(
            fate("tok_pending_decline_9", 1),
            Fate::Pending {
                wait: ms(9),
                declined: true
            }
        );
        assert_eq!(
            fate("tok_pending_9", 1),
            Fate::Pending {
                wait: ms(9),
                declined: false
            }
        );
        assert_eq!(fate("tok_stray_9", 1), Fate::Stray(ms(9)));
        assert_eq!(fate("tok_hook_lost", 1), Fate::Capture);
        assert_eq!(
            HookFate::of(&script, Uuid::nil(), "tok_hook_late_7"),
            HookFate::Late(ms(7))
        );
        assert_eq!(HookFate::of(&script, Uuid::nil(), "tok_x"), HookFate::Lost);
    }
}
