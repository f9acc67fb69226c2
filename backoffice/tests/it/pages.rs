//! The two pages, in a real Chromium: `tests/pages/` drives them with playwright-core, this starts what they are pages of.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use doorbuster_core::claims::Role;
use doorbuster_stage::{SandboxOptions, Stage, StageOptions};

use crate::stage::Desk;

/// Of the page's tests; a stage has as many buyers as they need.
const BUYERS: usize = 40;
const EMAIL: &str = "olga@shop.example";
const PASSWORD: &str = "correct horse battery";

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pages")
}

/// An admin with a password, as README tells an operator to make one.
fn make_admin(stage: &Stage) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorbuster-backoffice"));
    command
        .args(["admin", "--email", EMAIL, "--password-stdin"])
        .env_clear()
        .env("DATABASE_URL", stage.database_url())
        .env("REDIS_URL", stage.redis_url())
        .env("TOKEN_SECRET", stage.token_secret())
        .stdin(Stdio::piped())
        .stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{PASSWORD}").unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[tokio::test]
async fn both_pages_do_in_a_browser_what_they_promise() {
    let modules = tests().join("node_modules/playwright-core");
    assert!(
        modules.is_dir(),
        "playwright-core is missing: run loadtest/stage/install-servers.sh fmt clippy"
    );
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
    let mut command = Command::new("node");
    command
        .arg("run.mjs")
        .current_dir(tests())
        .env("BACKOFFICE_URL", stage.backoffice(0).url())
        .env("ENGINE_URL", stage.engine(0).url())
        .env("MAILS", stage.dir().join("mail/new"))
        .env("STAFF_TOKEN", desk.token("olga", Role::Operator))
        .env("FINANCE_TOKEN", desk.token("fay", Role::Finance))
        .env("STAFF_EMAIL", EMAIL)
        .env("STAFF_PASSWORD", PASSWORD)
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
