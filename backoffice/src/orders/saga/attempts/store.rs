//! SQL of attempts to charge. Called by the saga's steps.

use doorbuster_core::clock;
use sqlx::mysql::{MySqlConnection, MySqlExecutor, MySqlPool};
use sqlx::{MySql, QueryBuilder, query, query_as, query_scalar};
use uuid::Uuid;

use crate::bulk::{padded, parts, push_in};
use crate::orders::model::Order;
use crate::orders::saga::store::run;

/// The order of an attempt to charge, and whether the books have its capture.
pub(crate) async fn of_attempt(
    books: &MySqlPool,
    attempt: Uuid,
) -> sqlx::Result<Option<(Uuid, bool)>> {
    query_as("-- of_attempt\nselect order_id, state = 'captured' from payment_attempts where attempt_id = ?")
        .bind(attempt)
        .fetch_optional(books)
        .await
}

/// Those of these attempts whose captures their orders have noted: there is nothing more to be heard of them.
pub(crate) async fn noted(books: &MySqlPool, attempts: &[Uuid]) -> sqlx::Result<Vec<Uuid>> {
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
        "-- noted\nselect a.attempt_id from payment_attempts a join orders o on o.order_id = a.order_id
        where a.state = 'captured' and o.state in ('captured', 'paid', 'refunded') and a.attempt_id in (",
    );
    push_in(&mut statement, attempts.iter().copied());
    statement.build_query_scalar().fetch_all(books).await
}

/// Whether the books have the capture of this order's attempt.
pub(crate) async fn is_captured(tx: &mut MySqlConnection, order: &Order) -> sqlx::Result<bool> {
    let state: Option<String> =
        query_scalar("-- is_captured\nselect state from payment_attempts where attempt_id = ?")
            .bind(order.attempt())
            .fetch_optional(tx)
            .await?;
    Ok(state.is_some_and(|state| state == "captured"))
}

/// Their attempts, before anything is sent.
pub(crate) async fn open(tx: &mut MySqlConnection, orders: &[&Order]) -> sqlx::Result<()> {
    let now = clock::now().naive_utc();
    for part in parts(orders) {
        let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
            "-- open\ninsert into payment_attempts (attempt_id, order_id, amount, currency, state, created_at) ",
        );
        statement.push_values(part, |mut row, order| {
            row.push_bind(order.attempt())
                .push_bind(order.id)
                .push_bind(order.total)
                .push_bind(order.currency.to_string())
                .push_bind("open")
                .push_bind(now);
        });
        run(&mut *tx, statement).await?;
    }
    Ok(())
}

/// What the provider calls them.
pub(crate) async fn captured(
    tx: &mut MySqlConnection,
    orders: &[(&Order, &str)],
) -> sqlx::Result<()> {
    let now = clock::now().naive_utc();
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
        "-- captured\nupdate payment_attempts set state = 'captured', ended_at = ",
    );
    statement
        .push_bind(now)
        .push(", provider_ref = case attempt_id");
    for (order, provider_ref) in padded(orders.iter().copied()) {
        statement
            .push(" when ")
            .push_bind(order.attempt())
            .push(" then ")
            .push_bind(provider_ref.to_owned());
    }
    statement.push(" end");
    let ids = orders.iter().map(|(order, _)| order.attempt());
    statement.push(" where attempt_id in (");
    push_in(&mut statement, ids);
    run(tx, statement).await.map(drop)
}

/// Nothing was taken under this attempt, nor will be.
pub(crate) async fn ended(
    tx: &mut MySqlConnection,
    order: &Order,
    (state, provider_ref, reason): (&'static str, Option<&str>, Option<&str>),
) -> sqlx::Result<()> {
    query(
        "-- ended\nupdate payment_attempts set state = ?, provider_ref = coalesce(?, provider_ref), reason = ?, ended_at = ? where attempt_id = ?",
    )
    .bind(state)
    .bind(provider_ref)
    .bind(reason)
    .bind(clock::now().naive_utc())
    .bind(order.attempt())
    .execute(tx)
    .await
    .map(drop)
}

/// What the provider calls what it has captured.
pub(crate) async fn provider_ref(
    books: impl MySqlExecutor<'_>,
    order: &Order,
) -> sqlx::Result<Option<String>> {
    let found: Option<(Option<String>,)> = query_as(
        "-- provider_ref\nselect provider_ref from payment_attempts where attempt_id = ? and state = 'captured'",
    )
    .bind(order.attempt())
    .fetch_optional(books)
    .await?;
    Ok(found.and_then(|(provider_ref,)| provider_ref))
}
