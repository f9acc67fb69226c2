//! Every Redis key of a live sale, under one hash tag, so that a sale is one slot of a cluster.
//!
//! `lua/README.md` says what each holds; the test below pins each literal name.

use crate::ids::LiveId;

/// The keys of one sale or coupon.
#[derive(Debug, Clone)]
pub struct Keys {
    pub sale: String,
    pub stock: String,
    pub users: String,
    pub records: String,
    pub order: String,
    pub paying: String,
    pub adjusts: String,
    pub returns: String,
    pub journal: String,
    /// Of a sale with a line, as the seven after it: its head.
    pub line: String,
    pub places: String,
    pub offered: String,
    pub admitted: String,
    pub served: String,
    pub over: String,
    pub alive: String,
    pub moves: String,
    /// Only while a rebuild is under way, as the six after it: which generation is being made.
    pub rebuild: String,
    pub next_users: String,
    pub next_records: String,
    pub next_order: String,
    pub next_paying: String,
    pub next_adjusts: String,
    pub next_returns: String,
}

impl Keys {
    pub fn of(live: &LiveId) -> Self {
        let key = |name: &str| format!("{{{}}}:{name}", live.tag());
        Self {
            sale: key("sale"),
            stock: key("stock"),
            users: key("users"),
            records: key("records"),
            order: key("order"),
            paying: key("paying"),
            adjusts: key("adjusts"),
            returns: key("returns"),
            journal: key("journal"),
            line: key("line"),
            places: key("places"),
            offered: key("offered"),
            admitted: key("admitted"),
            served: key("served"),
            over: key("over"),
            alive: key("alive"),
            moves: key("moves"),
            rebuild: key("rebuild"),
            next_users: key("next_users"),
            next_records: key("next_records"),
            next_order: key("next_order"),
            next_paying: key("next_paying"),
            next_adjusts: key("next_adjusts"),
            next_returns: key("next_returns"),
        }
    }

    /// Written where a replica has to confirm what a call has only read; nobody reads it.
    pub(crate) fn mark_of(live: &LiveId) -> String {
        format!("{{{}}}:mark", live.tag())
    }

    /// The same of no sale: by it a replica is asked whether it is there.
    pub(crate) const PROBE_MARK: &str = "doorbuster:mark";

    /// Of no sale: whose access tokens are revoked.
    pub(crate) const REVOCATIONS: &str = "doorbuster:revocations";

    /// The sale that a `sale` key belongs to, as restock notices name it.
    pub fn live_id(sale_key: &str) -> Option<LiveId> {
        let tag = sale_key.strip_prefix('{')?.strip_suffix("}:sale")?;
        LiveId::from_book_id(tag.strip_prefix("sale:").unwrap_or(tag)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{CouponId, SaleId};

    #[test]
    fn names_are_pinned() {
        let keys = Keys::of(&LiveId::Sale(SaleId::parse("drop-1").unwrap()));
        assert_eq!(
            [
                keys.sale,
                keys.stock,
                keys.users,
                keys.records,
                keys.order,
                keys.paying,
                keys.adjusts,
                keys.returns,
                keys.journal,
                keys.line,
                keys.places,
                keys.offered,
                keys.admitted,
                keys.served,
                keys.over,
                keys.alive,
                keys.moves,
                keys.rebuild,
                keys.next_users,
                keys.next_records,
                keys.next_order,
                keys.next_paying,
                keys.next_adjusts,
                keys.next_returns,
            ],
            [
                "sale",
                "stock",
                "users",
                "records",
                "order",
                "paying",
                "adjusts",
                "returns",
                "journal",
                "line",
                "places",
                "offered",
                "admitted",
                "served",
                "over",
                "alive",
                "moves",
                "rebuild",
                "next_users",
                "next_records",
                "next_order",
                "next_paying",
                "next_adjusts",
                "next_returns"
            ]
            .map(|name| format!("{{sale:drop-1}}:{name}")),
        );
    }

    #[test]
    fn a_sale_key_names_its_sale() {
        for live in [
            LiveId::Sale(SaleId::parse("a").unwrap()),
            LiveId::Coupon(CouponId::parse("a").unwrap()),
        ] {
            assert_eq!(Keys::live_id(&Keys::of(&live).sale), Some(live));
        }
        assert_eq!(Keys::live_id("sale:a"), None);
    }
}
