//! The fence: a Redis that was emptied or came back older sells nothing, and no re-open can double the stock.

use std::time::Duration;

use doorbuster_core::keys::Keys;
use hyper::StatusCode;

use super::harness::{Shop, within};
use super::rebuild::{front_and_writer, rebuilt, reserve};
use super::redis_of::{append_only_file, raw};

#[tokio::test(flavor = "multi_thread")]
async fn flushall_then_open_again_is_recovering_until_it_is_rebuilt_never_a_second_stock() {
    let (shop, writer) = front_and_writer().await;
    shop.stage.add_engine("front", &[]).unwrap();
    let live = shop.sale("s", &[("tee", 10, 0)], 300).await;
    assert_eq!(
        shop.reserve_one(0, "s", "ann", "k").await.status,
        StatusCode::CREATED
    );
    shop.until_booked(&live).await;
    // Without a writer nobody puts it together again.
    shop.stage.engine(writer).kill9().unwrap();
    raw(&shop, "FLUSHALL", &[]).await;
    let refused = shop.reserve_one(0, "s", "bob", "k").await;
    assert_eq!(
        (refused.status, refused.code()),
        (StatusCode::SERVICE_UNAVAILABLE, "recovering")
    );
    assert!(refused.headers.contains_key("retry-after"));
    for _ in 0..3 {
        let opened = shop.staff("POST", "/admin/v1/sales/s/open", None).await;
        assert_eq!(
            (opened.status, opened.code()),
            (StatusCode::SERVICE_UNAVAILABLE, "recovering"),
            "{:?}",
            opened.body
        );
        for engine in [0, 2] {
            assert_eq!(
                shop.reserve_one(engine, "s", "bob", "k").await.code(),
                "recovering"
            );
            within(
                Duration::from_secs(1),
                "the sale's page says so",
                || async {
                    let shown = shop.buyer(engine, "GET", "/v1/sales/s", "bob").await;
                    (shown.code() == "recovering").then_some(())
                },
            )
            .await;
        }
    }
    assert!(shop.try_snapshot(&live).await.is_none());
    shop.stage.engine(writer).start().unwrap();
    let report = rebuilt(&shop, "s", 2).await;
    assert_eq!(report["lost"], 0, "{report}");
    let opened = shop.staff("POST", "/admin/v1/sales/s/open", None).await;
    assert_eq!(opened.status, StatusCode::OK, "{:?}", opened.body);
    assert_eq!(shop.counts(&live).await, (9, 1, 0));
    let log = shop.stage.engine(writer).log_tail(1_000);
    assert!(log.contains("rewind"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_older_than_an_engine_saw_sells_nothing_before_it_is_rebuilt_and_an_alarm_says_so()
{
    let shop = Shop::with_engines(1).await;
    let live = shop.sale("s", &[("tee", 10, 0)], 300).await;
    // MySQL stands still, so only the engine knows of the reservation.
    shop.until_booked(&live).await;
    let before = tokio::fs::read(append_only_file(&shop)).await.unwrap();
    shop.stage.mariadb().freeze().unwrap();
    assert_eq!(
        shop.reserve_one(0, "s", "ann", "k").await.status,
        StatusCode::CREATED
    );
    shop.stage.redis().kill9().unwrap();
    // What was written after `before` is lost, as by a power cut without fsync.
    tokio::fs::write(append_only_file(&shop), before)
        .await
        .unwrap();
    shop.stage.redis().start().unwrap();
    shop.stage.mariadb().thaw().unwrap();
    within(Duration::from_secs(15), "the alarm", || async {
        let metrics = super::surface::metrics(&shop, 0).await;
        metrics
            .lines()
            .any(|line| line == "doorbuster_rewinds_total 1")
            .then_some(())
    })
    .await;
    let log = shop.stage.engine(0).log_tail(1_000);
    assert!(log.contains("an engine saw epoch 1, seq 2"), "{log}");
    assert_eq!(rebuilt(&shop, "s", 2).await["lost"], 0);
    let ann = reserve(&shop, "ann", "k", 1).await;
    assert_eq!((ann.status, &ann.body["seq"]), (StatusCode::OK, &2.into()));
    assert_eq!(shop.counts(&live).await, (9, 1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_no_longer_continues_the_books_stops_a_sale_that_was_vouched_for() {
    let shop = Shop::with_engines(1).await;
    let live = shop.sale("s", &[("tee", 10, 0)], 300).await;
    shop.until_booked(&live).await;
    raw(&shop, "DEL", &["{sale:s}:journal"]).await;
    // The script cannot know yet; the writer finds out as soon as there is something to write.
    let ann = shop.reserve_one(0, "s", "ann", "k").await;
    assert_eq!(ann.status, StatusCode::CREATED);
    within(
        Duration::from_secs(5),
        "the vouch is taken back",
        || async {
            let metrics = super::surface::metrics(&shop, 0).await;
            metrics.contains("doorbuster_rewinds_total 1").then_some(())
        },
    )
    .await;
    assert_eq!(rebuilt(&shop, "s", 2).await["lost"], 0);
    let again = reserve(&shop, "ann", "k", 1).await;
    assert_eq!((again.status, again.id()), (StatusCode::OK, ann.id()));
    assert_eq!(shop.counts(&live).await, (9, 1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_cut_off_from_redis_is_said_to_hold_up_the_vouch_until_it_goes() {
    let shop = Shop::with_engines(1).await;
    let live = shop.sale("s", &[("tee", 10, 0)], 300).await;
    let nowhere = [("REDIS_URL", "redis://127.0.0.1:1")];
    let cut_off = shop.stage.add_engine("front", &nowhere).unwrap();
    shop.stage.redis().kill9().unwrap();
    shop.stage.redis().start().unwrap();
    let unheard = async || {
        let text = super::surface::metrics(&shop, 0).await;
        let line = "doorbuster_vouch_unheard_seconds{sale=\"s\"} ";
        let seconds = text
            .lines()
            .find_map(|l| l.strip_prefix(line)?.parse::<f64>().ok());
        seconds.unwrap_or(0.0)
    };
    within(Duration::from_secs(15), "an alarm", || async {
        let said = shop
            .stage
            .engine(0)
            .log_tail(1_000)
            .contains("unheard_engine");
        (said && unheard().await >= 5.0).then_some(())
    })
    .await;
    assert_eq!(
        shop.reserve_one(0, "s", "ann", "k").await.code(),
        "recovering"
    );
    shop.stage.engine(cut_off).kill9().unwrap();
    shop.until_vouched(&live).await;
    within(Duration::from_secs(5), "the gauge is down", || async {
        (unheard().await == 0.0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_whose_stock_is_deleted_or_edited_under_it_is_rebuilt_from_the_books() {
    let (shop, writer) = front_and_writer().await;
    let live = shop.sale("s", &[("tee", 10, 0)], 300).await;
    let ann = shop.reserve_one(0, "s", "ann", "k").await;
    assert_eq!(ann.status, StatusCode::CREATED);
    shop.until_booked(&live).await;
    let stock = Keys::of(&live).stock;
    let edits: [(&'static str, &[&str]); 2] = [("DEL", &[]), ("HINCRBY", &["tee/left", "3"])];
    for (i, (command, arguments)) in edits.into_iter().enumerate() {
        let arguments = [&[&*stock], arguments].concat();
        raw(&shop, command, &arguments).await;
        let report = rebuilt(&shop, "s", i as u64 + 2).await;
        assert_eq!(report["lost"], 0, "{command}: {report}");
        assert_eq!(shop.counts(&live).await, (9, 1, 0), "{command}");
    }
    let again = reserve(&shop, "ann", "k", 1).await;
    assert_eq!(again.body["id"], ann.body["id"]);
    let log = shop.stage.engine(writer).log_tail(1_000);
    assert!(log.contains("rewind"), "{log}");
}
