//! Free ports of 127.0.0.1 for servers that are about to start.
//! They lie below the range from which the kernel takes ports of outgoing connections, so that a killed server's port is
//! still free when the server comes back, however many clients connect meanwhile.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};

use crate::limits::PORT_CANDIDATES_MAX;
use crate::random::random_bytes;

/// Above the ports of well-known services.
const LOWEST: u16 = 10_240;
/// A narrower range than this is not worth searching; the kernel chooses instead.
const RANGE_PORTS_MIN: u16 = 4_096;
/// What Linux uses when nobody has changed it.
const CLIENT_PORTS_BEGIN_DEFAULT: u16 = 32_768;

/// Ports given to stages of this process; none is given twice.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port that nobody listens on now and that this process has not given before.
pub fn free_port() -> Result<u16> {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..PORT_CANDIDATES_MAX {
        let port = candidate()?;
        if !given.contains(&port) && is_free(port) {
            given.insert(port);
            return Ok(port);
        }
    }
    anyhow::bail!("no free port on 127.0.0.1 after {PORT_CANDIDATES_MAX} candidates")
}

pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn candidate() -> Result<u16> {
    let span = client_ports_begin().saturating_sub(LOWEST);
    if span >= RANGE_PORTS_MIN {
        let random = u16::from_ne_bytes(random_bytes()?);
        return Ok(LOWEST + random % span);
    }
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port of 127.0.0.1 can be had")?;
    Ok(listener.local_addr()?.port())
}

fn client_ports_begin() -> u16 {
    fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok())
        .unwrap_or(CLIENT_PORTS_BEGIN_DEFAULT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice() {
        let ports: Vec<u16> = (0..200).map(|_| free_port().unwrap()).collect();
        let distinct: BTreeSet<u16> = ports.iter().copied().collect();
        assert_eq!(distinct.len(), ports.len());
    }

    #[test]
    fn a_taken_port_is_not_free() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(!is_free(listener.local_addr().unwrap().port()));
    }
}
