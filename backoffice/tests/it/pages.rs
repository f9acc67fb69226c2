//! The pages, in a real Chromium: `tests/pages/` drives them, this starts what they are pages of.

use doorbuster_core::claims::Role;
use doorbuster_stage::{SandboxOptions, Stage, StageOptions};

use crate::browser::{make_admin, node};
use crate::stage::Desk;

/// Of the page's tests; a stage has as many buyers as they need.
const BUYERS: usize = 40;

#[tokio::test]
async fn the_pages_do_in_a_browser_what_they_promise() {
    let options = StageOptions::whole(1)
        .with_sandbox(SandboxOptions::default())
        .with_mail()
        .engine_env("RATE_PER_USER", "0");
    let stage = Stage::start(&options).unwrap();
    let desk = Desk::on(&stage).await;
    make_admin(&stage);
    let buyers: Vec<String> = (0..BUYERS)
        .map(|n| desk.token(&format!("buyer-{n}"), Role::Buyer))
        .collect();
    let mut command = node("run.mjs", &stage);
    command
        .env("MAILS", stage.dir().join("mail/new"))
        .env("STAFF_TOKEN", desk.token("olga", Role::Operator))
        .env("FINANCE_TOKEN", desk.token("fay", Role::Finance))
        .env("BUYER_TOKENS", serde_json::to_string(&buyers).unwrap());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let wrong = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}\n{wrong}");
    println!("{said}");
}

#[tokio::test]
async fn pages_may_be_cached_and_nothing_may_be_put_into_them() {
    let desk = Desk::shared().await;
    for path in ["/", "/orders", "/sales/drop-1"] {
        let page = desk.call("GET", path).send().await;
        assert_eq!(page.status, 200);
        assert!(page.header("content-type").starts_with("text/html"));
        let policy = page.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self';"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("cache-control"), "public, max-age=60");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
    }
    let shop = desk.call("GET", "/sales/drop-1").send().await;
    assert!(
        shop.text.contains(desk.stage.engine(0).url()),
        "{}",
        shop.text
    );
    let korean = desk
        .call("GET", "/")
        .header("accept-language", "ko")
        .send()
        .await;
    assert!(korean.text.contains("<html lang=\"ko\">"));
    let script = desk.call("GET", "/assets/buyer.js").send().await;
    assert_eq!(
        script.header("content-type"),
        "text/javascript; charset=utf-8"
    );
    for missing in ["/assets/secret.js", "/assets/..%2f..%2fCargo.toml"] {
        assert_eq!(
            desk.call("GET", missing).send().await.refusal(),
            (404, "not_found")
        );
    }
    let bad = desk.call("GET", "/sales/%22%3E%3Cscript%3E").send().await;
    assert_eq!(bad.refusal(), (404, "unknown_sale"));
}
