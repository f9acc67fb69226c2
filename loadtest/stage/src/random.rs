//! Random bytes from the kernel, for token secrets and for the place where the search for a free port begins.

use std::fmt::Write;
use std::fs::File;
use std::io::Read;

use anyhow::{Context, Result};

pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .context("/dev/urandom cannot be read")?;
    Ok(bytes)
}

/// `N` random bytes as 2 × `N` hexadecimal digits.
pub(crate) fn random_hex<const N: usize>() -> Result<String> {
    let bytes = random_bytes::<N>()?;
    Ok(bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("writing to a String does not fail");
        hex
    }))
}
