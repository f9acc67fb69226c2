//! Every operation against every role: who is refused is refused before anything else is looked at, and nobody else is.

use doorbuster_core::claims::{Claims, Role, TokenKeys};
use doorbuster_core::clock;
use doorbuster_core::ids::UserId;
use doorbuster_stage::{Stage, StageOptions};

use super::{Access, Operation, operations};
use crate::http::{Answer, Call};
use crate::stage::{Desk, name};

/// Who asks.
#[derive(Debug, Clone, Copy)]
enum Asker {
    Anonymous,
    /// With a token that somebody else signed.
    Forger,
    /// With a token that was good until he logged out.
    Revoked,
    Of(Role),
}

const ASKERS: [Asker; 7] = [
    Asker::Anonymous,
    Asker::Forger,
    Asker::Revoked,
    Asker::Of(Role::Buyer),
    Asker::Of(Role::Operator),
    Asker::Of(Role::Finance),
    Asker::Of(Role::Admin),
];

impl Asker {
    /// The most that his role could be, where his token is not worth it.
    async fn token(self, desk: &Desk<'_>) -> Option<String> {
        let someone = name("someone");
        match self {
            Self::Anonymous => None,
            Self::Forger => {
                let user = UserId::parse(someone).unwrap();
                let claims = Claims::access(user, Role::Admin, clock::now_s(), 600);
                let keys = TokenKeys::new(&[7; 32], None).unwrap();
                Some(keys.sign(&claims))
            }
            Self::Revoked => {
                let token = desk.token(&someone, Role::Admin);
                let call = desk.call("POST", "/v1/sessions/log-out-everywhere");
                call.token(&token).send().await.ok(200);
                Some(token)
            }
            Self::Of(role) => Some(desk.token(&someone, role)),
        }
    }
}

/// With ids of nothing and without a body: whoever is let in finds nothing to do.
async fn ask(desk: &Desk<'_>, operation: Operation, asker: Asker, token: Option<&str>) -> Answer {
    let path = operation
        .path
        .replace("{sale}", "nowhere")
        .replace("{coupon}", "nowhere")
        .replace("{name}", "nothing")
        .replace("{id}", "0b2c8f6e-5d1a-8c3e-9f00-3f1d7a9b2c4d");
    let mut call = Call::new(&operation.program.base(desk), operation.method, &path);
    if !matches!(asker, Asker::Of(_)) {
        // A ticket in the address would do without a token; in its header it never does.
        call = call.header("queue-ticket", "nothing");
    }
    match token {
        Some(token) => call.token(token).send().await,
        None => call.send().await,
    }
}

#[tokio::test]
async fn every_operation_of_both_programs_serves_those_whom_it_should_and_nobody_else() {
    // Of its own: staff that is let in pauses all sales.
    let stage = Stage::start(&StageOptions::whole(1).engine_env("RATE_PER_USER", "0")).unwrap();
    let desk = Desk::on(&stage).await;
    let operations = operations(&desk).await;
    let mut wrong = Vec::new();
    for asker in ASKERS {
        let revoked = asker.token(&desk).await;
        if let Asker::Revoked = asker {
            until_refused_by_engine(&desk, revoked.as_deref().unwrap()).await;
        }
        for operation in &operations {
            // Whoever is let in may end his own sign-ins, so each comes with a token of his own.
            let token = match asker {
                Asker::Revoked => revoked.clone(),
                _ => asker.token(&desk).await,
            };
            let expected = match (operation.access, asker) {
                (Access::Public, _) => None,
                (_, Asker::Anonymous | Asker::Forger | Asker::Revoked) => Some(401),
                (access, Asker::Of(role)) if !access.admits(role) => Some(403),
                _ => None,
            };
            let answer = ask(&desk, *operation, asker, token.as_deref()).await;
            let refused = Some(answer.status).filter(|status| [401, 403].contains(status));
            if refused != expected || answer.status == 500 {
                wrong.push(format!(
                    "{} {} by {asker:?}: {} where {expected:?}",
                    operation.method, operation.path, answer.status
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The engine knows of the log-out within a second.
async fn until_refused_by_engine(desk: &Desk<'_>, token: &str) {
    crate::stage::eventually(async || {
        let path = "/v1/sales/nowhere/reservations/0b2c8f6e-5d1a-8c3e-9f00-3f1d7a9b2c4d";
        let call = Call::new(desk.stage.engine(0).url(), "GET", path);
        let status = call.token(token).send().await.status;
        (status == 401).then_some(())
    })
    .await;
}
