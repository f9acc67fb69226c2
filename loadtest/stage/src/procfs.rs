//! What Linux tells about a process. Called by `server` to make sure that a signal has taken effect, and that the one who
//! answers on a port is the child that was started there and not a stranger who was quicker.

use std::fs;
use std::path::Path;
use std::time::Duration;

/// The state letter of a process (`T` stopped, `Z` dead but not reaped), or `None` when there is no such process.
pub(crate) fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name stands in parentheses before the state, and may itself contain spaces and parentheses.
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

/// The time that the threads of process `pid` have spent on a processor so far; those that have ended are not counted.
pub(crate) fn cpu_time(pid: u32) -> Option<Duration> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let spent_ns = |task: fs::DirEntry| -> Option<u64> {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse().ok()
    };
    Some(Duration::from_nanos(
        tasks.flatten().filter_map(spent_ns).sum(),
    ))
}

/// Memory of process `pid` that is in RAM, in bytes.
pub(crate) fn resident_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

/// Whether process `pid` itself listens on 127.0.0.1:`port`.
pub(crate) fn listens(pid: u32, port: u16) -> bool {
    let Some(inode) = listening_inode(pid, port) else {
        return false;
    };
    let wanted = format!("socket:[{inode}]");
    fs::read_dir(format!("/proc/{pid}/fd")).is_ok_and(|entries| {
        entries
            .flatten()
            .filter_map(|entry| fs::read_link(entry.path()).ok())
            .any(|target| target == Path::new(&wanted))
    })
}

fn listening_inode(pid: u32, port: u16) -> Option<String> {
    const LISTEN: &str = "0A";
    // The kernel prints the address as a number of the machine's own byte order.
    let loopback = u32::from_ne_bytes([127, 0, 0, 1]);
    let address = format!("{loopback:08X}:{port:04X}");
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).ok()?;
    table.lines().find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let is_ours = fields.next()? == address;
        let is_listening = fields.nth(1)? == LISTEN;
        (is_ours && is_listening).then(|| fields.nth(5).map(str::to_owned))?
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::process;

    use super::*;

    #[test]
    fn a_listener_is_recognised_as_ours_alone() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(listens(process::id(), port));
        assert!(!listens(1, port));
        drop(listener);
        assert!(!listens(process::id(), port));
    }

    #[test]
    fn a_running_process_has_a_state() {
        assert!(matches!(state(process::id()), Some('R' | 'S')));
        assert_eq!(state(u32::MAX), None);
    }
}
