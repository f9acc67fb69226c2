//! One private Redis for all tests of this binary, and a sale of its own for each test. Used by every file beside it.
//! A test reaches past the gate only to look at the data, to move it, or to call a script with arguments that the gate
//! would never send.

use std::sync::OnceLock;

use doorbuster_core::clock;
use doorbuster_core::gate::claim::{ClaimCoupon, Claimed};
use doorbuster_core::gate::decided::{Batch, Decided};
use doorbuster_core::gate::open::{Open, OpenSku, Opened};
use doorbuster_core::gate::reserve::{Reserve, Reserved};
use doorbuster_core::gate::script::Script;
use doorbuster_core::gate::vouch::{Vouch, Vouched};
use doorbuster_core::gate::{Gate, GateError};
use doorbuster_core::ids::{
    BodyHash, CouponId, IdempotencyKey, LiveId, ReservationId, SaleId, SkuId, UserId,
};
use doorbuster_core::journal::StreamId;
use doorbuster_core::record::Line;
use doorbuster_stage::{Stage, StageOptions};
use fred::clients::Client;
use fred::interfaces::ClientLike;
use fred::types::config::{Config, ReconnectPolicy};
use fred::types::{Builder, ClusterHash, CustomCommand, Value};
use rand::Rng as _;

use crate::state::{Fields, State, text};

pub(crate) const HOUR_MS: u64 = 3_600_000;
pub(crate) const EPOCH: u32 = 1;
const KEYS: [&str; 9] = [
    "sale", "stock", "users", "records", "order", "paying", "adjusts", "returns", "journal",
];

/// The Redis that all tests share; the stage's guardian ends it with this process.
pub(crate) fn redis_url() -> &'static str {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    // What the scripts decide does not depend on fsync, and the tests that do lose a server have one of their own.
    let options = StageOptions::redis_only().ack_level("memory");
    STAGE
        .get_or_init(|| Stage::start(&options).expect("a private redis-server"))
        .redis_url()
}

/// One sale or coupon of one test.
pub(crate) struct Scene {
    pub(crate) gate: Gate,
    pub(crate) live: LiveId,
    redis: Client,
}

impl Scene {
    /// Nothing of it is in Redis yet.
    pub(crate) async fn unopened(url: &str, live: LiveId) -> Self {
        let config = Config::from_url(url).unwrap();
        let redis = Builder::from_config(config)
            .set_policy(ReconnectPolicy::new_constant(0, 50))
            .build()
            .unwrap();
        redis.init().await.unwrap();
        Self {
            gate: Gate::connect(url).await.unwrap(),
            live,
            redis,
        }
    }

    /// A sale that sells: sku, stock and limit of each, open since an hour.
    pub(crate) async fn selling(skus: &[(&str, u32, u32)]) -> Self {
        let scene = Self::unopened(redis_url(), random_sale()).await;
        assert_eq!(scene.open(skus).await, Opened::Opened);
        scene.vouch().await;
        scene
    }

    /// The same for a coupon; its one sku has its name.
    pub(crate) async fn coupon(units: u32, limit_per_user: u32) -> Self {
        let name = random_name();
        let scene = Self::unopened(
            redis_url(),
            LiveId::Coupon(CouponId::parse(name.as_str()).unwrap()),
        )
        .await;
        assert_eq!(
            scene.open(&[(&name, units, limit_per_user)]).await,
            Opened::Opened
        );
        scene.vouch().await;
        scene
    }

    pub(crate) async fn open(&self, skus: &[(&str, u32, u32)]) -> Opened {
        let skus: Vec<OpenSku> = skus
            .iter()
            .map(|(name, stock, limit)| OpenSku {
                sku: sku(name),
                stock: *stock,
                limit_per_user: *limit,
            })
            .collect();
        let now_ms = clock::now_ms();
        let (opens_ms, closes_ms) = (now_ms - HOUR_MS, now_ms + 24 * HOUR_MS);
        let open = Open {
            epoch: EPOCH,
            opens_ms,
            closes_ms,
            hold_ms: HOUR_MS,
            payment_ms: HOUR_MS,
            config: "{}",
            skus: &skus,
        };
        self.gate.open(&self.live, &open).await.unwrap()
    }

    /// As a writer does once the `opened` event is in the books.
    pub(crate) async fn vouch(&self) {
        let entries = self
            .gate
            .journal(&self.live, &StreamId::start(), 1_000)
            .await
            .unwrap();
        let (last, run_id) = (entries.last().unwrap(), self.gate.run_id().await.unwrap());
        let vouch = Vouch {
            epoch: EPOCH,
            seq: last.last_seq(),
            entry_id: &last.id,
            run_id: &run_id,
        };
        assert_eq!(
            self.gate.vouch(&self.live, &vouch).await.unwrap(),
            Vouched::Vouched
        );
    }

    pub(crate) async fn try_reserve(
        &self,
        requests: &[&Reserve],
    ) -> Result<Batch<Reserved>, GateError> {
        self.gate.reserve(&self.live, EPOCH, requests).await
    }

    /// One batch that is not fenced.
    pub(crate) async fn reserve(&self, requests: &[&Reserve]) -> Decided<Reserved> {
        match self.try_reserve(requests).await.unwrap() {
            Batch::Decided(decided) => decided,
            Batch::Fenced(fenced) => panic!("{fenced:?}"),
        }
    }

    /// A batch of one.
    pub(crate) async fn reserve_one(&self, request: &Reserve) -> Reserved {
        self.reserve(&[request]).await.outcomes.remove(0)
    }

    pub(crate) async fn claim(&self, requests: &[&ClaimCoupon]) -> Decided<Claimed> {
        match self
            .gate
            .claim(self.coupon_id(), EPOCH, requests)
            .await
            .unwrap()
        {
            Batch::Decided(decided) => decided,
            Batch::Fenced(fenced) => panic!("{fenced:?}"),
        }
    }

    pub(crate) fn coupon_id(&self) -> &CouponId {
        match &self.live {
            LiveId::Coupon(id) => id,
            LiveId::Sale(id) => panic!("{id} is a sale"),
        }
    }

    pub(crate) fn ask(&self, user: &str, key: &str, lines: &[(&str, u32)]) -> Reserve {
        let text: Vec<String> = lines
            .iter()
            .map(|(sku, quantity)| format!("{sku}={quantity}"))
            .collect();
        Reserve {
            id: self.id(user, key),
            user: UserId::parse(user).unwrap(),
            body: BodyHash::of(text.join(",").as_bytes()),
            lines: lines
                .iter()
                .map(|(name, quantity)| Line {
                    sku: sku(name),
                    quantity: *quantity,
                })
                .collect(),
        }
    }

    pub(crate) fn ask_claim(&self, user: &str, key: &str) -> ClaimCoupon {
        ClaimCoupon {
            id: self.id(user, key),
            user: UserId::parse(user).unwrap(),
        }
    }

    pub(crate) fn id(&self, user: &str, key: &str) -> ReservationId {
        ReservationId::derive(
            &self.live,
            &UserId::parse(user).unwrap(),
            &IdempotencyKey::parse(key).unwrap(),
        )
    }

    pub(crate) fn key(&self, name: &str) -> String {
        format!("{{{}}}:{name}", self.live.tag())
    }

    /// Any command, past the gate.
    pub(crate) async fn raw<A: Into<Vec<u8>>>(
        &self,
        command: &'static str,
        args: Vec<A>,
    ) -> Result<Value, fred::error::Error> {
        let args: Vec<Value> = args
            .into_iter()
            .map(|arg| Value::Bytes(bytes::Bytes::from(arg.into())))
            .collect();
        self.redis.custom(custom(command), args).await
    }

    /// Calls a script with these arguments as they are; the reply's first elements as text.
    pub(crate) async fn call(
        &self,
        script: &Script,
        args: &[&[u8]],
    ) -> Result<Vec<String>, fred::error::Error> {
        let mut values: Vec<Vec<u8>> = vec![
            script.loaded().source.clone().into(),
            script.keys.len().to_string().into(),
        ];
        values.extend(script.keys.iter().map(|name| self.key(name).into_bytes()));
        values.extend(args.iter().map(|arg| arg.to_vec()));
        let reply = array(self.raw("EVAL", values).await?);
        Ok(reply
            .into_iter()
            .filter_map(|value| value.into_string())
            .collect())
    }

    /// Writes one field, past the scripts.
    pub(crate) async fn set(&self, key: &str, field: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let key = self.key(key).into_bytes();
        self.raw(
            "HSET",
            vec![key, field.as_ref().to_vec(), value.as_ref().to_vec()],
        )
        .await
        .unwrap();
    }

    pub(crate) async fn unset(&self, key: &str, field: impl AsRef<[u8]>) {
        let removed = self
            .raw(
                "HDEL",
                vec![self.key(key).into_bytes(), field.as_ref().to_vec()],
            )
            .await
            .unwrap();
        assert_eq!(removed, Value::Integer(1), "there was no such field");
    }

    pub(crate) async fn record(&self, id: ReservationId) -> Vec<u8> {
        let reply = self
            .raw(
                "HGET",
                vec![self.key("records").into_bytes(), id.as_bytes().to_vec()],
            )
            .await
            .unwrap();
        value_bytes(reply)
    }

    /// Gives the record another deadline.
    pub(crate) async fn set_deadline(&self, id: ReservationId, deadline_ms: u64) {
        let record = self.record(id).await;
        let mut parts = record.splitn(3, |byte| *byte == b'|');
        let (head, _, tail) = (
            parts.next().unwrap(),
            parts.next().unwrap(),
            parts.next().unwrap(),
        );
        let moved = [head, deadline_ms.to_string().as_bytes(), tail].join(&b'|');
        self.set("records", id.as_bytes(), moved).await;
    }

    /// Makes the sale's time stand still, one hour ahead: a script's time never goes back before `last_now_ms`.
    pub(crate) async fn stop_time(&self) -> u64 {
        let now_ms = clock::now_ms() + HOUR_MS;
        self.set("sale", "last_now_ms", now_ms.to_string()).await;
        now_ms
    }

    /// All of it.
    pub(crate) async fn state(&self) -> State {
        let pipeline = self.redis.pipeline();
        let queue = async |command, args: Vec<String>| -> () {
            pipeline.custom(custom(command), args).await.unwrap()
        };
        for name in ["sale", "stock", "users", "records", "adjusts", "returns"] {
            queue("HGETALL", vec![self.key(name)]).await;
        }
        queue("LRANGE", vec![self.key("order"), "0".into(), "-1".into()]).await;
        let paying = vec![self.key("paying"), "0".into(), "-1".into()];
        queue("ZRANGE", [paying, vec!["WITHSCORES".into()]].concat()).await;
        queue("XRANGE", vec![self.key("journal"), "-".into(), "+".into()]).await;
        queue("KEYS", vec![self.key("*")]).await;
        for name in KEYS {
            queue("TTL", vec![self.key(name)]).await;
        }
        let mut replies = pipeline.all::<Vec<Value>>().await.unwrap().into_iter();
        let mut next = || replies.next().unwrap();
        let [sale, stock, users, records, adjusts, returns] =
            std::array::from_fn(|_| fields(next()));
        State {
            sale,
            stock,
            users,
            records,
            adjusts,
            returns,
            order: array(next())
                .into_iter()
                .map(|id| text(value_bytes(id)))
                .collect(),
            paying: fields(next()),
            journal: array(next())
                .into_iter()
                .map(|entry| pairs(array(entry).remove(1)))
                .collect(),
            strangers: (array(next()).into_iter().map(|key| text(value_bytes(key))))
                .filter(|key| !KEYS.iter().any(|name| *key == self.key(name)))
                .collect(),
            expiring: KEYS
                .iter()
                .filter(|_| next().as_i64().unwrap() >= 0)
                .map(ToString::to_string)
                .collect(),
        }
    }
}

fn custom(command: &'static str) -> CustomCommand {
    CustomCommand::new_static(command, ClusterHash::Random, false)
}

pub(crate) fn sku(name: &str) -> SkuId {
    SkuId::parse(name).unwrap()
}

pub(crate) fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

pub(crate) fn random_sale() -> LiveId {
    LiveId::Sale(SaleId::parse(random_name()).unwrap())
}

fn random_name() -> String {
    format!("t-{:016x}", rand::rng().random::<u64>())
}

pub(crate) fn array(value: Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values,
        Value::Null => Vec::new(),
        other => panic!("an array, not {other:?}"),
    }
}

fn value_bytes(value: Value) -> Vec<u8> {
    match value {
        Value::Bytes(bytes) => bytes.to_vec(),
        Value::String(text) => text.as_bytes().to_vec(),
        other => panic!("a string, not {other:?}"),
    }
}

fn pairs(value: Value) -> Vec<(String, String)> {
    let flat: Vec<String> = array(value)
        .into_iter()
        .map(|value| text(value_bytes(value)))
        .collect();
    flat.chunks(2)
        .map(|pair| (pair[0].clone(), pair[1].clone()))
        .collect()
}

fn fields(value: Value) -> Fields {
    pairs(value).into_iter().collect()
}
