//! Servers break on request, and come back on their port with their data.

use std::time::Duration;

use anyhow::Result;
use doorbuster_stage::{Stage, StageOptions};

use crate::talk::{self, BOUND};

#[test]
fn a_killed_redis_keeps_what_it_has_acknowledged() -> Result<()> {
    let stage = Stage::start(&StageOptions::redis_only())?;
    let redis = stage.redis();
    let port = redis.port();
    assert_eq!(talk::redis(port, "SET stock 41")?, "+OK");
    assert_eq!(talk::redis(port, "INCR stock")?, ":42");

    redis.kill9()?;
    assert!(!redis.is_running());
    assert_eq!(redis.pid(), None);
    assert!(talk::redis(port, "PING").is_err());

    redis.restart()?;
    assert_eq!(redis.port(), port);
    assert_eq!(talk::lines(port, "GET stock", 2)?, "$2 42");
    Ok(())
}

#[test]
fn a_killed_database_comes_back_on_its_port() -> Result<()> {
    let stage = Stage::start(&StageOptions::servers())?;
    let mariadb = stage.mariadb();
    let before = talk::pid(mariadb)?;

    mariadb.kill9()?;
    mariadb.start()?;

    assert_ne!(talk::pid(mariadb)?, before);
    assert!(mariadb.log_tail(15).contains("ready for connections"));
    Ok(())
}

#[test]
fn a_frozen_server_is_silent_until_it_thaws() -> Result<()> {
    let stage = Stage::start(&StageOptions::redis_only())?;
    let redis = stage.redis();

    redis.freeze()?;
    assert!(redis.is_running());
    let patience = Duration::from_millis(50);
    assert!(redis.terminate(patience).is_err());

    redis.thaw()?;
    // The SIGTERM that it could not take while frozen is the first thing it meets.
    assert!(redis.wait_exit(BOUND)?.success());
    redis.start()?;
    assert_eq!(talk::redis(redis.port(), "PING")?, "+PONG");
    Ok(())
}

#[test]
fn a_terminated_server_reports_how_it_ended() -> Result<()> {
    let stage = Stage::start(&StageOptions::redis_only())?;
    let redis = stage.redis();

    assert!(redis.terminate(BOUND)?.success());

    assert!(redis.terminate(BOUND).is_err(), "it runs no more");
    assert!(redis.log_tail(3).contains("bye bye"));
    redis.start()?;
    assert!(redis.start().is_err(), "it runs already");
    Ok(())
}
