//! What two buyers who know nothing of each other have: accounts, addresses, sign-ins, carts, wishes, reservations.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::http::Call;
use crate::people::{Person, Session, place};
use crate::stage::{Desk, eventually, name};

/// A sale without a line, one with, and a coupon; and two accounts whose passwords are those of all who come later.
pub(super) struct World<'a> {
    pub(super) desk: &'a Desk<'a>,
    pub(super) sale: String,
    pub(super) line: String,
    pub(super) coupon: String,
    /// In the shop, of one sku of the same name.
    pub(super) product: String,
    shelf: (String, String),
    templates: [(Person, String); 2],
}

/// Somebody who has something of everything.
pub(super) struct Buyer {
    pub(super) person: Person,
    pub(super) user: String,
    pub(super) session: Session,
    /// Another sign-in of his.
    pub(super) other: Session,
    pub(super) other_id: String,
    pub(super) address: String,
    pub(super) reservation: String,
    /// Of another hold, that cost nothing.
    pub(super) order: String,
    /// In his cart and on his wish list, and nowhere in the shop any more.
    pub(super) kept: String,
    /// What nobody else may ever read.
    pub(super) marks: Vec<String>,
}

impl<'a> World<'a> {
    pub(super) async fn new(desk: &'a Desk<'a>) -> Self {
        let (sale, line, coupon) = (name("access"), name("access"), name("access"));
        for (id, waiting_room) in [(&sale, false), (&line, true)] {
            let draft = json!({
                "id": id, "title": "Access", "opens_at": "2020-01-01T00:00:00Z", "closes_at": "2999-01-01T00:00:00Z",
                "hold_seconds": 600, "payment_seconds": 300, "waiting_room": waiting_room,
                "items": [{"sku": "tee", "title": "Tee", "price": {"amount": 0, "currency": "KRW"}, "stock": 10_000}]
            });
            desk.put("/admin/v1/sales", &draft).await.ok(201);
            let open = format!("/admin/v1/sales/{id}/open");
            desk.post(&open).await.ok(200);
        }
        let mut draft = crate::stage::coupon(&coupon);
        draft["quantity"] = json!(1_000);
        desk.put("/admin/v1/coupons", &draft).await.ok(201);
        let open = format!("/admin/v1/coupons/{coupon}/open");
        desk.post(&open).await.ok(200);
        let mut other = Person::new("template");
        other.password = "another horse battery".to_owned();
        other.sign_up(desk).await.ok(202);
        let token = other.token_from_mail(desk, "/account/confirm").await;
        let confirmed = other.confirm(desk, &token).await;
        let other_id = text(&confirmed.ok(201)["id"]);
        let shelf = desk.shelf().await;
        Self {
            desk,
            sale,
            line,
            coupon,
            product: desk.product(&shelf, "모두의 것", "Everybody's", 1).await,
            shelf,
            templates: [
                Person::with_account(desk, "template").await,
                (other, other_id),
            ],
        }
    }

    /// Somebody new, with the password of the first or second template: hashing one for each would take long.
    pub(super) async fn buyer(&self, template: usize) -> Buyer {
        let (model, model_id) = &self.templates[template];
        let user = format!("u-{}", uuid::Uuid::new_v4().simple());
        let person = Person {
            email: format!("{user}@mark.example"),
            password: model.password.clone(),
            place: place(),
        };
        let called = format!("Name of {user}");
        sqlx::query("insert into users (user_id, email, role, state, name, language, created_at, state_at) values (?, ?, 'buyer', 'active', ?, 'en', now(6), now(6))")
            .bind(&user).bind(&person.email).bind(&called).execute(&self.desk.books).await.unwrap();
        sqlx::query("insert into credentials (user_id, password_hash, changed_at) select ?, password_hash, changed_at from credentials where user_id = ?")
            .bind(&user).bind(model_id).execute(&self.desk.books).await.unwrap();

        let answer = person.try_sign_in(self.desk).await.ok(201);
        let (other, other_id) = (Session::of(&answer), answer["session_id"].clone());
        let session = person.sign_in(self.desk).await;
        let street = format!("Street of {user}");
        let address = json!({"recipient": called, "phone": "+82-10-1234-5678", "country": "KR", "postal_code": "04524", "line1": street});
        let call = self.desk.call("POST", "/v1/me/addresses");
        let address = call.token(&session.access).json(&address).send().await;
        let address = text(&address.ok(201)["id"]);
        let reservation = self.hold(&session).await;
        let order = self.order(&session).await;
        self.earn(&user).await;
        let other_id = text(&other_id);
        let title = format!("Kept by {user}");
        let kept = self.keep(&session, &title).await;
        let mut marks = vec![user.clone(), person.email.clone(), called, street, title];
        marks.extend([&address, &reservation, &order, &other_id].map(Clone::clone));
        marks.extend([&session, &other].map(|session| session.access.clone()));
        marks.extend([&session, &other].map(|session| session.refresh.clone()));
        Buyer {
            person,
            user,
            session,
            other,
            other_id,
            address,
            reservation,
            order,
            kept,
            marks,
        }
    }

    async fn keep(&self, session: &Session, title: &str) -> String {
        let kept = self.desk.product(&self.shelf, "간직", title, 1).await;
        for (path, body) in [("cart", json!({"quantity": 1})), ("wish-list", Value::Null)] {
            let call = self.desk.call("PUT", &format!("/v1/me/{path}/{kept}"));
            call.token(&session.access).json(&body).send().await.ok(200);
        }
        let archive = format!("/admin/v1/products/{kept}/archive");
        self.desk.post(&archive).await.ok(200);
        kept
    }

    async fn order(&self, session: &Session) -> String {
        let hold = self.hold(session).await;
        let body = json!({"sale": self.sale, "reservation": hold, "payment": {"method": "none", "token": "none"}});
        let call = self.desk.call("POST", "/v1/orders").token(&session.access);
        let placed = call.header("idempotency-key", name("key")).json(&body);
        let order = placed.send().await.ok(201);
        assert_eq!(order["state"], "paid", "{order}");
        text(&order["id"])
    }

    async fn earn(&self, user: &str) {
        sqlx::query("insert into points_accounts (user_id, currency, balance, version) values (?, 'KRW', 5, 1)")
            .bind(user).execute(&self.desk.books).await.unwrap();
        sqlx::query("insert into points_entries (user_id, currency, version, kind, amount, balance, cause, at) values (?, 'KRW', 1, 'earn', 5, 5, ?, now(3))")
            .bind(user).bind(format!("earn:{user}")).execute(&self.desk.books).await.unwrap();
    }

    async fn hold(&self, session: &Session) -> String {
        let path = format!("/v1/sales/{}/reservations", self.sale);
        let call = Call::new(self.desk.stage.engine(0).url(), "POST", &path);
        let call = call
            .token(&session.access)
            .header("idempotency-key", name("key"));
        let items = json!({"items": [{"sku": "tee", "quantity": 1}]});
        text(&call.json(&items).send().await.ok(201)["id"])
    }

    /// A place in the line, when it may be asked about.
    pub(super) async fn ticket(&self, session: &Session) -> String {
        let path = format!("/v1/sales/{}/tickets", self.line);
        let call = Call::new(self.desk.stage.engine(0).url(), "POST", &path);
        let place = call.token(&session.access).send().await.ok(201);
        sleep(Duration::from_millis(
            place["poll_after_ms"].as_u64().unwrap(),
        ))
        .await;
        text(&place["ticket"])
    }

    /// All that is this buyer's, as the books and the engine have it.
    pub(super) async fn state_of(&self, buyer: &Buyer) -> Vec<String> {
        let mut state: Vec<String> = sqlx::query_scalar(
            "select concat_ws('|', 'user', email, role, state, name, ifnull(phone, ''), language, state_at) from users where user_id = ?
            union all select concat_ws('|', 'credentials', password_hash, changed_at) from credentials where user_id = ?
            union all select concat_ws('|', 'address', hex(address_id), recipient, phone, line1, line2, is_default) from addresses where user_id = ?
            union all select concat_ws('|', 'session', hex(family_id), generation, hex(token_hash), refreshed_at, ifnull(ended_at, '')) from refresh_families where user_id = ?
            union all select concat_ws('|', 'revocation', generation, raised_at) from revocations where user_id = ?
            union all select concat_ws('|', 'cart', sku, quantity) from cart_items where user_id = ?
            union all select concat_ws('|', 'wish', product_no) from wishes where user_id = ?
            union all select concat_ws('|', 'points', currency, balance, version) from points_accounts where user_id = ?
            union all select concat_ws('|', 'order', hex(order_id), state, ifnull(cancel_asked_at, ''), version) from orders where user_id = ?",
        )
        .bind(&buyer.user)
        .bind(&buyer.user)
        .bind(&buyer.user)
        .bind(&buyer.user)
        .bind(&buyer.user)
        .bind(&buyer.user)
        .bind(&buyer.user)
        .bind(&buyer.user)
        .bind(&buyer.user)
        .fetch_all(&self.desk.books)
        .await
        .unwrap();
        state.sort();
        let path = format!("/v1/sales/{}/reservations/{}", self.sale, buyer.reservation);
        let call = Call::new(self.desk.stage.engine(0).url(), "GET", &path);
        state.push(
            call.token(&buyer.session.access)
                .send()
                .await
                .ok(200)
                .to_string(),
        );
        state
    }

    /// Waits until the books have his reservation.
    pub(super) async fn booked(&self, buyer: &Buyer) {
        eventually(async || {
            let call = self.desk.call("GET", "/v1/me/reservations");
            let answer = call.token(&buyer.session.access).send().await;
            answer.text.contains(&buyer.reservation).then_some(())
        })
        .await;
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
