//! People who act on a stage: they sign up, read their mail, follow its links, sign in. Each comes from an address of his own.

use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::http::{Answer, Call};
use crate::stage::{Desk, eventually, name};

pub(crate) const PASSWORD: &str = "correct horse battery";

/// Somebody with a mailbox.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) email: String,
    pub(crate) password: String,
    /// Where he comes from.
    pub(crate) place: String,
}

impl Person {
    /// Nobody knows him yet.
    pub(crate) fn new(stem: &str) -> Self {
        Self {
            email: format!("{}@shop.example", name(stem)),
            password: PASSWORD.to_owned(),
            place: place(),
        }
    }

    /// He has an account; he and his user id.
    pub(crate) async fn with_account(desk: &Desk<'_>, stem: &str) -> (Self, String) {
        let person = Self::new(stem);
        person.sign_up(desk).await.ok(202);
        let token = person.token_from_mail(desk, "/account/confirm").await;
        let user = person.confirm(desk, &token).await;
        let id = user.ok(201)["id"].as_str().unwrap().to_owned();
        (person, id)
    }

    pub(crate) async fn sign_up(&self, desk: &Desk<'_>) -> Answer {
        let body = json!({"email": self.email, "name": "Ann Lee", "language": "en"});
        self.post(desk, "/v1/sign-ups", &body).await
    }

    /// Confirms a sign-up, with his password.
    pub(crate) async fn confirm(&self, desk: &Desk<'_>, token: &str) -> Answer {
        let body = json!({"token": token, "password": self.password});
        self.post(desk, "/v1/sign-ups/confirm", &body).await
    }

    pub(crate) async fn try_sign_in(&self, desk: &Desk<'_>) -> Answer {
        self.try_sign_in_at(desk.stage.backoffice(0).url()).await
    }

    /// The same, for many at once who need no desk.
    pub(crate) async fn try_sign_in_at(&self, base: &str) -> Answer {
        let body = json!({"email": self.email, "password": self.password});
        self.post_at(base, "/v1/sessions", &body).await
    }

    pub(crate) async fn sign_in(&self, desk: &Desk<'_>) -> Session {
        Session::of(&self.try_sign_in(desk).await.ok(201))
    }

    pub(crate) async fn refresh(&self, desk: &Desk<'_>, token: &str) -> Answer {
        self.refresh_at(desk.stage.backoffice(0).url(), token).await
    }

    pub(crate) async fn refresh_at(&self, base: &str, token: &str) -> Answer {
        let body = json!({"refresh_token": token});
        self.post_at(base, "/v1/sessions/refresh", &body).await
    }

    /// Without a token.
    pub(crate) async fn post(&self, desk: &Desk<'_>, path: &str, body: &Value) -> Answer {
        self.post_at(desk.stage.backoffice(0).url(), path, body)
            .await
    }

    /// The same of another back-office.
    pub(crate) async fn post_at(&self, base: &str, path: &str, body: &Value) -> Answer {
        let call = Call::new(base, "POST", path);
        let call = call.header("x-forwarded-for", self.place.as_str());
        call.json(body).send().await
    }

    pub(crate) fn call(&self, desk: &Desk<'_>, method: &str, path: &str) -> Call {
        desk.call(method, path)
            .header("x-forwarded-for", self.place.as_str())
    }

    /// The token of the newest mail to him whose link leads to `page`.
    pub(crate) async fn token_from_mail(&self, desk: &Desk<'_>, page: &str) -> String {
        let link = format!("{page}?token=");
        eventually(async || {
            let mails = mails_to(desk, &self.email);
            let mail = mails.iter().rev().find(|mail| mail.body.contains(&link))?;
            let (_, rest) = mail.body.split_once(&link)?;
            Some(rest.split_whitespace().next()?.to_owned())
        })
        .await
    }
}

/// An address that nobody else has.
pub(crate) fn place() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let n = COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    format!("10.{}.{}.{}", n[1], n[2], n[3])
}

/// What a sign-in yields.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Session {
    pub(crate) fn of(answer: &Value) -> Self {
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        Self {
            access: text("access_token"),
            refresh: text("refresh_token"),
        }
    }

    /// Whether the back-office lets its access token in.
    pub(crate) async fn is_let_in(&self, desk: &Desk<'_>) -> bool {
        let answer = desk.call("GET", "/v1/me").token(&self.access).send().await;
        assert!([200, 401].contains(&answer.status), "{answer:?}");
        answer.status == 200
    }

    /// Whether the engine does: without a sale of that name it says so to those whom it lets in.
    pub(crate) async fn is_let_in_by_engine(&self, desk: &Desk<'_>) -> bool {
        let path = "/v1/sales/nowhere/reservations/0b2c8f6e-5d1a-8c3e-9f00-3f1d7a9b2c4d";
        let call = Call::new(desk.stage.engine(0).url(), "GET", path);
        let answer = call.token(&self.access).send().await;
        assert!([404, 401, 503].contains(&answer.status), "{answer:?}");
        answer.status == 404
    }
}

/// One mail, decoded.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    pub(crate) headers: String,
    pub(crate) body: String,
}

pub(crate) fn mails_to(desk: &Desk<'_>, email: &str) -> Vec<Mail> {
    let all = desk.stage.mails().unwrap();
    let mails = all.iter().map(|text| decode(text));
    mails
        .filter(|mail| {
            mail.headers
                .lines()
                .any(|line| line == format!("To: {email}"))
        })
        .collect()
}

fn decode(text: &str) -> Mail {
    let text = text.replace("\r\n", "\n");
    let (headers, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let lower = headers.to_ascii_lowercase();
    let body = if lower.contains("content-transfer-encoding: base64") {
        let joined: String = body.split_whitespace().collect();
        String::from_utf8(STANDARD.decode(joined).unwrap()).unwrap()
    } else if lower.contains("content-transfer-encoding: quoted-printable") {
        unquote(body)
    } else {
        body.to_owned()
    };
    Mail {
        headers: headers.to_owned(),
        body,
    }
}

fn unquote(body: &str) -> String {
    let joined = body.replace("=\n", "");
    let mut bytes = Vec::new();
    let mut rest = joined.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| first == b'=');
        let byte = code.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).unwrap()
}
