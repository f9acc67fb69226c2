//! Every rival is what it says: through its own process, over real stores, each safe way sells exactly what there is, once per
//! key, however often a request is sent; and a way without control is seen to fail by what `/state` counts.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use clap::ValueEnum;
use doorbuster_core::claims::{Claims, Role, TokenKeys};
use doorbuster_core::clock;
use doorbuster_core::ids::UserId;
use doorbuster_loadtest::rivals::Name;
use doorbuster_stage::{Program, Server, Stage, StageOptions};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

const BUYERS: u32 = 300;
const STOCK: u64 = 100;
const CONNECTIONS: u32 = 64;
/// Names as long as those of the harness's own runs, which the yardstick's answer is made from.
const PATH: &str = "/v1/sales/rush-fedcba9876543210/reservations";
const WISH: &str = r#"{"items":[{"sku":"doorbuster","quantity":1}]}"#;

/// A rival of `stage`, and what its clients need.
struct Ground {
    server: Server,
    tokens: TokenKeys,
}

/// Spoils a request.
type Change = fn(&mut Request<Full<Bytes>>);

/// One buyer, and the answer to each of the sends of its request.
type Told = Vec<(u16, Value)>;

impl Ground {
    fn open(stage: &Stage, way: Name) -> Self {
        let program = Program {
            name: &format!("rival-{}", way.as_str()),
            path: Path::new(env!("CARGO_BIN_EXE_doorbuster-loadtest")),
            args: &["rival", "--way", way.as_str(), "--listen-port", "{port}"],
            env: &[],
            port: None,
        };
        Self {
            server: stage.start_program(&program).unwrap(),
            tokens: TokenKeys::new(stage.token_secret().as_bytes(), None).unwrap(),
        }
    }

    async fn connect(&self) -> SendRequest<Full<Bytes>> {
        let stream = TcpStream::connect(("127.0.0.1", self.server.port()))
            .await
            .unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    async fn ask(&self, method: &str, path: &str) -> (u16, Value) {
        let request = Request::builder().method(method).uri(path);
        let request = request
            .header("host", "rival")
            .body(Full::default())
            .unwrap();
        read(self.connect().await.send_request(request).await.unwrap()).await
    }

    /// As a buyer sends it; the headers are the test's to change.
    fn purchase(&self, user: u32) -> Request<Full<Bytes>> {
        let user = UserId::parse(format!("buyer-{user:07}")).unwrap();
        let claims = Claims::access(user, Role::Buyer, clock::now_s(), 600);
        Request::post(PATH)
            .header("host", "rival")
            .header(
                "authorization",
                format!("Bearer {}", self.tokens.sign(&claims)),
            )
            .header("idempotency-key", "key-1")
            .header("content-type", "application/json")
            .body(Full::from(WISH))
            .unwrap()
    }

    /// Everyone buys, each sending its request so often at once, over all connections.
    async fn rush(self: &Arc<Self>, sends: u32) -> Vec<Told> {
        let next = Arc::new(AtomicU32::new(0));
        let crowd = (0..CONNECTIONS / sends).map(|_| {
            let (ground, next) = (Arc::clone(self), Arc::clone(&next));
            tokio::spawn(async move {
                let mut told = Vec::new();
                let mut one = ground.connect().await;
                let mut other = ground.connect().await;
                loop {
                    let user = next.fetch_add(1, Ordering::Relaxed);
                    if user >= BUYERS {
                        return told;
                    }
                    told.push(match sends {
                        1 => vec![ground.buy(&mut one, user).await],
                        _ => {
                            let answers = tokio::join!(
                                ground.buy(&mut one, user),
                                ground.buy(&mut other, user)
                            );
                            vec![answers.0, answers.1]
                        }
                    });
                }
            })
        });
        let crowd: Vec<_> = crowd.collect();
        let mut all = Vec::new();
        for buyers in crowd {
            all.extend(buyers.await.unwrap());
        }
        all
    }

    /// Until it is decided.
    async fn buy(&self, connection: &mut SendRequest<Full<Bytes>>, user: u32) -> (u16, Value) {
        for _ in 0..100 {
            connection.ready().await.unwrap();
            let answer = connection.send_request(self.purchase(user)).await.unwrap();
            let answer = read(answer).await;
            if answer.0 != 503 {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("never decided");
    }
}

async fn read(answer: Response<hyper::body::Incoming>) -> (u16, Value) {
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

/// How many buyers were told yes. Both sends of a request must have been told the same, and one of them that it is new.
fn accepted(way: &str, everyone: &[Told]) -> u64 {
    let accepted = everyone.iter().filter(|told| {
        let new = told.iter().filter(|(status, _)| *status == 201).count();
        let yes = told.iter().filter(|(status, _)| *status < 300).count();
        assert!(
            (yes == 0 || yes == told.len()) && new <= 1,
            "{way}: {told:?}"
        );
        assert!(
            told.iter()
                .all(|(_, body)| body["id"] == told[0].1["id"] && body["seq"] == told[0].1["seq"]),
            "{way}: {told:?}"
        );
        if yes == 0 {
            assert!(
                told.iter()
                    .all(|(status, body)| *status == 409 && body["code"] == "sold_out"),
                "{way}: {told:?}"
            );
        }
        yes > 0
    });
    accepted.count() as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn safe_ways_sell_what_there_is_once_per_key_and_the_others_are_seen_to_fail() {
    let stage = Stage::start(&StageOptions::servers()).unwrap();
    let selling = Name::value_variants().iter().filter(|n| **n != Name::Bare);
    for name in selling {
        let (way, ground) = (name.as_str(), Arc::new(Ground::open(&stage, *name)));
        for sends in [1, 2] {
            let (status, empty) = ground.ask("POST", &format!("/reset?stock={STOCK}")).await;
            assert_eq!((status, &empty["left"]), (200, &STOCK.into()), "{way}");
            assert_eq!(empty["orders"], 0, "{way}");
            let everyone = ground.rush(sends).await;
            let accepted = accepted(way, &everyone);
            let (_, state) = ground.ask("GET", "/state").await;
            assert_eq!(state["way"], way);
            for count in ["orders", "orders_by_distinct_key", "units"] {
                assert_eq!(state[count], accepted, "{way}, {count}: {state}");
            }
            if name.is_safe() {
                assert_eq!(
                    (accepted, &state["left"]),
                    (STOCK, &0.into()),
                    "{way}: {state}"
                );
            } else {
                assert!(accepted >= STOCK, "{way}: {state}");
            }
        }
    }
}

#[tokio::test]
async fn the_front_takes_what_the_engine_takes_and_the_yardstick_takes_all() {
    let stage = Stage::start(&StageOptions::servers()).unwrap();
    let (rival, bare) = (
        Ground::open(&stage, Name::RedisLua),
        Ground::open(&stage, Name::Bare),
    );
    rival.ask("POST", "/reset?stock=1").await;
    let told = async |change: Change| {
        let mut request = rival.purchase(1);
        change(&mut request);
        let answer = rival.connect().await.send_request(request).await;
        let (status, body) = read(answer.unwrap()).await;
        let code = body["code"].as_str().unwrap_or("").to_owned();
        (status, code, body)
    };
    let cases: [(Change, u16, &str); 6] = [
        (
            |r| drop(r.headers_mut().remove("authorization")),
            401,
            "unauthorized",
        ),
        (
            |r| drop(r.headers_mut().remove("idempotency-key")),
            400,
            "missing_idempotency_key",
        ),
        (
            |r| drop(r.headers_mut().remove("content-type")),
            415,
            "unsupported_media_type",
        ),
        (|r| *r.body_mut() = Full::from("{}"), 400, "invalid_request"),
        (
            |r| *r.uri_mut() = "/v1/sales/drop-1".parse().unwrap(),
            404,
            "not_found",
        ),
        (
            |r| *r.body_mut() = Full::from(vec![b' '; 20_000]),
            413,
            "body_too_large",
        ),
    ];
    for (change, status, code) in cases {
        let answer = told(change).await;
        assert_eq!((answer.0, answer.1.as_str()), (status, code));
    }
    let (status, _, ours) = told(|_| {}).await;
    assert_eq!((status, &ours["status"]), (201, &"held".into()));
    let other = told(|r| *r.body_mut() = Full::from(WISH.replace("door", "bar"))).await;
    assert_eq!((other.0, other.1.as_str()), (422, "idempotency_mismatch"));

    let (status, constant) = bare.ask("POST", PATH).await;
    let fields = |body: &Value| {
        let fields = body.as_object().unwrap();
        fields.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!((status, fields(&constant)), (201, fields(&ours)));
    let length = |body: &Value| body.to_string().len();
    let difference = length(&constant).abs_diff(length(&ours));
    assert!(difference < 12, "digits of its number: {constant} {ours}");
    let poll = "/v1/sales/drop-1/tickets/current";
    let (status, constant) = bare.ask("GET", poll).await;
    assert_eq!((status, &constant["state"]), (200, &"waiting".into()));
}
