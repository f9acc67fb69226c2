//! A stage hosts a program of its owner's: here this very executable, which then serves until it is killed.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use anyhow::{Context, Result};
use doorbuster_stage::{Program, Stage, StageOptions};

use crate::talk;

const SWITCH: &str = "STAGE_TEST_GUEST";

/// Asks the guest for the value of a variable in its environment.
fn ask(port: u16, variable: &str) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(talk::BOUND))?;
    write!(stream, "GET /{variable} HTTP/1.1\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").context("a whole answer")?;
    Ok(body.to_owned())
}

#[test]
fn a_guest_is_started_and_broken_like_the_stages_own() -> Result<()> {
    let stage = Stage::start(&StageOptions::redis_only())?;
    let path = env::current_exe()?;
    let mut program = Program {
        name: "guest",
        path: &path,
        args: &["hosting::serve_until_killed", "--exact"],
        env: &[(SWITCH, "127.0.0.1:{port}")],
        port: None,
    };
    let guest = stage.start_program(&program)?;
    let port = guest.port();
    assert_eq!(guest.url(), format!("http://127.0.0.1:{port}"));
    assert_eq!(ask(port, "REDIS_URL")?, stage.redis_url());
    assert_eq!(ask(port, "TOKEN_SECRET")?, stage.token_secret());

    let before = talk::pid(&guest)?;
    guest.restart()?;
    assert_eq!(guest.port(), port);
    assert_ne!(talk::pid(&guest)?, before);

    program.name = "latecomer";
    program.port = Some(port);
    assert!(stage.start_program(&program).is_err(), "the port is taken");
    guest.kill9()?;
    let latecomer = stage.start_program(&program)?;
    assert_eq!(latecomer.port(), port);

    let pid = talk::pid(&latecomer)?;
    drop(stage);
    assert!(!talk::is_alive(pid), "a guest ends with the stage");
    Ok(())
}

/// The guest's side: does something only where the test above has set the switch.
#[test]
fn serve_until_killed() -> Result<()> {
    let Some(address) = env::var_os(SWITCH) else {
        return Ok(());
    };
    let listener = TcpListener::bind(address.to_str().context("an address")?)?;
    loop {
        let (mut stream, _) = listener.accept()?;
        let lines = BufReader::new(&stream).lines().map_while(Result::ok);
        let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
        let request = head.first().map_or("", String::as_str);
        let path = request.split_whitespace().nth(1).unwrap_or("/");
        let value = env::var_os(path.trim_start_matches('/')).unwrap_or_default();
        let body = value.to_string_lossy();
        write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{body}")?;
    }
}
