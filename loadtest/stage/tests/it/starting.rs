//! A stage starts where it can, and says in one line why it cannot.

use std::ffi::OsString;
use std::net::TcpListener;
use std::time::Duration;

use anyhow::Result;
use doorbuster_stage::{Stage, StageOptions, eventually};

use crate::talk;

#[test]
fn servers_on_the_standard_ports_do_not_matter() -> Result<()> {
    // Where a real server holds one of them, that one is the stranger, and binding it here fails: equally good.
    let _strangers = [6379, 3306].map(|port| TcpListener::bind(("127.0.0.1", port)));

    let stage = Stage::start(&StageOptions::servers())?;

    assert_eq!(talk::redis(stage.redis().port(), "PING")?, "+PONG");
    assert!(![6379, 3306].contains(&stage.redis().port()));
    assert!(![6379, 3306].contains(&stage.mariadb().port()));
    Ok(())
}

#[test]
fn two_stages_stand_side_by_side() -> Result<()> {
    let one = Stage::start(&StageOptions::redis_only())?;
    let other = Stage::start(&StageOptions::redis_only())?;
    talk::redis(one.redis().port(), "SET whose one")?;

    assert_ne!(one.dir(), other.dir());
    assert_ne!(one.token_secret(), other.token_secret());
    assert_eq!(talk::redis(other.redis().port(), "GET whose")?, "$-1");
    Ok(())
}

#[test]
fn the_ack_level_decides_how_redis_syncs() -> Result<()> {
    for (level, appendfsync) in [
        ("memory", "everysec"),
        ("fsync", "always"),
        ("replica", "always"),
        ("mysql", "always"),
    ] {
        let stage = Stage::start(&StageOptions::redis_only().ack_level(level))?;
        let answer = talk::lines(stage.redis().port(), "CONFIG GET appendfsync", 5)?;
        assert!(answer.ends_with(appendfsync), "{level}: {answer}");
    }
    Ok(())
}

#[test]
fn a_replica_copies_what_its_primary_has() -> Result<()> {
    let stage = Stage::start(&StageOptions::redis_only().ack_level("replica"))?;
    // Refused until the primary knows that its replica is there.
    let written = eventually(Duration::from_secs(10), || {
        let answer = talk::redis(stage.redis().port(), "SET whose primary").ok()?;
        (answer == "+OK").then_some(())
    });
    assert!(written.is_some());

    let copied = eventually(Duration::from_secs(10), || {
        let answer = talk::redis(stage.replica().port(), "EXISTS whose").ok()?;
        (answer == ":1").then_some(())
    });
    assert!(copied.is_some());
    // Its second line would be waited for in vain while there is nothing.
    let whose = talk::lines(stage.replica().port(), "GET whose", 2)?;
    assert_eq!(whose, "$7 primary");
    Ok(())
}

#[test]
fn the_secret_and_the_addresses_have_the_promised_form() -> Result<()> {
    let stage = Stage::start(&StageOptions::servers())?;

    assert_eq!(stage.token_secret().len(), 64);
    let address = format!("mysql://root@127.0.0.1:{}", stage.mariadb().port());
    assert_eq!(stage.database_url(), format!("{address}/doorbuster"));
    assert_eq!(
        stage.database_url_named("other"),
        format!("{address}/other")
    );
    let redis = format!("redis://127.0.0.1:{}", stage.redis().port());
    assert_eq!(stage.redis_url(), redis);
    Ok(())
}

#[test]
fn a_missing_server_program_is_one_line_with_its_package() {
    let options = StageOptions {
        search_path: Some(OsString::from("/nonexistent")),
        ..StageOptions::servers()
    };

    let message = format!("{:#}", Stage::start(&options).err().unwrap());

    assert!(message.contains("redis-server is missing"), "{message}");
    assert!(
        message.contains("apt-get install redis-server"),
        "{message}"
    );
    assert_eq!(message.lines().count(), 1);
}
