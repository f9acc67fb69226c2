//! A COMMIT without an answer: committed or not, the writer cannot know. It starts again from the cursor, and drops from the
//! journal only what it then finds in the books.

use std::time::Duration;

use doorbuster_stage::{Hop, Passing, StageOptions};
use hyper::StatusCode;

use super::harness::{Shop, within};

/// A front, and a writer that reaches MySQL through the hop.
async fn with_a_writer_behind_a_hop() -> (Shop, Hop) {
    let options = StageOptions::whole(1).engine_role("front");
    let shop = Shop::open(options.engine_env("RATE_PER_USER", "0")).await;
    let port = shop.stage.mariadb().port();
    let hop = Hop::to(port).unwrap();
    let through = format!(":{}/", hop.port());
    let url = shop
        .stage
        .database_url()
        .replace(&format!(":{port}/"), &through);
    let env = [("DATABASE_URL", url.as_str())];
    shop.stage.add_engine("writer", &env).unwrap();
    (shop, hop)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unanswered_commit_is_neither_trusted_nor_repeated() {
    let (shop, hop) = with_a_writer_behind_a_hop().await;
    let live = shop.sale("s", &[("tee", 50, 0)], 600).await;
    shop.until_booked(&live).await;
    let rounds = [Passing::RepliesLost, Passing::NothingArrives].repeat(2);
    for (round, passing) in rounds.into_iter().enumerate() {
        let before = shop.snapshot(&live).await.flushed_seq;
        // Others of the process commit too; only the books' writer moves the cursor.
        hop.pass_from(b"COMMIT", b"update journal_cursor", passing);
        let answer = shop.reserve_one(0, "s", &format!("u{round}"), "k").await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
        within(
            Duration::from_secs(10),
            "the commit is on its way",
            || async { hop.has_passed().then_some(()) },
        )
        .await;
        // With the reply lost MySQL has it, with the request lost it has not; the writer must not believe either.
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(
            shop.snapshot(&live).await.flushed_seq,
            before,
            "{passing:?}"
        );
        let booked: i64 = sqlx::query_scalar("select count(*) from journal where sale_id = 's'")
            .fetch_one(&shop.books)
            .await
            .unwrap();
        let arrived = u64::from(passing == Passing::RepliesLost);
        assert_eq!(booked.cast_unsigned(), before + arrived, "{passing:?}");
        hop.cut();
        // Gapless, each event once. A writer that trimmed after the error would leave a gap where the request was lost.
        shop.until_booked(&live).await;
    }
    assert_eq!(shop.counts(&live).await, (46, 4, 0));
    assert_eq!(shop.booked_units(&live).await, 4);
}
