//! The way in that README describes, by the documented API: the first admin by command, an operator who signs up by mail and is given his role,
//! a product, and a sale of it. Called by the demo. Passwords are made up anew each time; none is ever an argument of a program.

use anyhow::{Context, Result, bail};
use doorbuster_core::ids::LiveId;
use rand::Rng as _;
use serde_json::{Value, json};

use super::mailbox::Mailbox;
use crate::plan::Offer;
use crate::setup::{self, Call};
use crate::target::Target;

const ADMIN: &str = "admin@shop.example";
const OPERATOR: &str = "olga@shop.example";
/// Characters of a password that nobody has to remember.
const PASSWORD_CHARS: usize = 20;

/// The operator, signed in.
pub(super) struct Operator {
    token: String,
    password: String,
}

impl Operator {
    /// The first admin, who gives a new operator his role.
    pub(super) async fn arrive(target: &Target, mailbox: &mut Mailbox) -> Result<Self> {
        let (admins, password) = (password(), password());
        make_admin(target, &admins)?;
        let admin = sign_in(target, ADMIN, &admins).await?;

        let sign_up = json!({"email": OPERATOR, "name": "Olga", "language": "en"});
        done(target, Call::post("/v1/sign-ups").saying(sign_up)).await?;
        let confirm = json!({"token": mailbox.token().await?, "password": password});
        let user = done(target, Call::post("/v1/sign-ups/confirm").saying(confirm)).await?;
        let id = user["id"].as_str().context("an account has an id")?;
        let role = Call::post(&format!("/admin/v1/users/{id}/role"));
        done(target, role.by(&admin).saying(json!({"role": "operator"}))).await?;
        let token = sign_in(target, OPERATOR, &password).await?;
        Ok(Self { token, password })
    }

    /// How a reader signs in as this one.
    pub(super) fn sign_in(&self) -> (&'static str, &str) {
        (OPERATOR, &self.password)
    }

    /// Writes down what is to be sold, and the sale of it. Its title and price are the product's.
    pub(super) async fn write_down(&self, target: &Target, offer: &Offer) -> Result<()> {
        let both = |ko: &str, en: &str| json!({"ko": ko, "en": en});
        let seller = json!({"id": "maru", "name": both("마루 공방", "Maru Studio")});
        self.order(target, "/admin/v1/sellers", Some(seller))
            .await?;
        let category = json!({"id": "mugs", "title": both("머그컵", "Mugs")});
        self.order(target, "/admin/v1/categories", Some(category))
            .await?;
        let product = json!({
            "id": "moon-mug", "seller": "maru", "category": "mugs", "title": both("모두가 원하는 달 머그컵", "The moon mug that everybody wants"),
            "skus": [{"sku": offer.sku, "price": {"amount": 19_900, "currency": "KRW"}}]
        });
        self.order(target, "/admin/v1/products", Some(product))
            .await?;
        self.order(target, "/admin/v1/products/moon-mug/publish", None)
            .await?;
        let mut sale = setup::sale(offer);
        sale["title"] = json!("Doorbuster demo");
        sale["items"] =
            json!([{"sku": offer.sku, "stock": offer.stock, "limit_per_user": offer.per_user}]);
        self.order(target, "/admin/v1/sales", Some(sale)).await
    }

    /// Signs in again for it: the reader may have looked at the pages for longer than a token lives.
    pub(super) async fn open(&mut self, target: &Target, live: &LiveId) -> Result<()> {
        self.token = sign_in(target, OPERATOR, &self.password).await?;
        let path = format!("/admin/v1/sales/{}/open", live.book_id());
        self.order(target, &path, None).await
    }

    async fn order(&self, target: &Target, path: &str, body: Option<Value>) -> Result<()> {
        let call = Call::post(path).by(&self.token);
        let call = match body {
            Some(body) => call.saying(body),
            None => call,
        };
        done(target, call).await.map(drop)
    }
}

/// By the command, whose standard input has the password.
fn make_admin(target: &Target, password: &str) -> Result<()> {
    let stage = target.stage().context("the demo has a stage of its own")?;
    let args = ["admin", "--email", ADMIN, "--password-stdin"];
    // It is waited for here: nothing else is to be done meanwhile.
    let made = stage.run_backoffice_reading(&args, password)?;
    made.success()
        .map(drop)
        .context("the first admin was not made")
}

async fn sign_in(target: &Target, email: &str, password: &str) -> Result<String> {
    let body = json!({"email": email, "password": password});
    let session = done(target, Call::post("/v1/sessions").saying(body)).await?;
    let token = session["access_token"].as_str();
    Ok(token.context("a sign-in has an access token")?.to_owned())
}

/// What a call that must succeed came to.
async fn done(target: &Target, call: Call<'_>) -> Result<Value> {
    let reply = setup::call(&target.backoffice, &call).await?;
    if !(200..300).contains(&reply.status) {
        bail!(
            "the back-office answers {} with {}: {}",
            call.path(),
            reply.status,
            String::from_utf8_lossy(&reply.body)
        );
    }
    serde_json::from_slice(&reply.body).with_context(|| call.path().to_owned())
}

fn password() -> String {
    let mut rng = rand::rng();
    (0..PASSWORD_CHARS)
        .map(|_| char::from(rng.sample(rand::distr::Alphanumeric)))
        .collect()
}
