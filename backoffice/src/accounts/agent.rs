//! From what kind of program somebody signs in: two words made of `User-Agent`, by which he knows his own sign-ins from a stranger's. The
//! header itself is not kept: with its versions and models it tells people apart.

use axum::http::{HeaderMap, header};

/// Programs by the first mark that their header has: most name others too, for compatibility, and the one that they are before those.
const PROGRAMS: [(&str, &str); 10] = [
    ("samsungbrowser", "samsung"),
    ("whale/", "whale"),
    ("edg", "edge"),
    ("opr/", "opera"),
    ("firefox", "firefox"),
    ("fxios", "firefox"),
    ("crios", "chrome"),
    ("chrome", "chrome"),
    ("safari", "safari"),
    ("curl/", "curl"),
];

/// Platforms likewise.
const PLATFORMS: [(&str, &str); 8] = [
    ("android", "android"),
    ("iphone", "ios"),
    ("ipad", "ios"),
    ("windows", "windows"),
    ("mac os", "macos"),
    ("macintosh", "macos"),
    ("cros", "chromeos"),
    ("linux", "linux"),
];

/// Of none of the kinds that are known.
const OTHER: &str = "other";

/// The class of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Agent {
    pub(crate) program: &'static str,
    pub(crate) platform: &'static str,
}

impl Agent {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let said = headers
            .get(header::USER_AGENT)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_ascii_lowercase();
        let first = |marks: &[(&str, &'static str)]| {
            let known = marks.iter().find(|(mark, _)| said.contains(mark));
            known.map_or(OTHER, |(_, word)| *word)
        };
        Self {
            program: first(&PROGRAMS),
            platform: first(&PLATFORMS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_known_by_what_it_says_and_any_other_is_other() {
        for (said, program, platform) in [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0",
                "edge",
                "windows",
            ),
            (
                "Mozilla/5.0 (Linux; Android 14; SM-S921N) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36",
                "samsung",
                "android",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
                "safari",
                "ios",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 14.5; rv:127.0) Gecko/20100101 Firefox/127.0",
                "firefox",
                "macos",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
                "chrome",
                "linux",
            ),
            ("curl/8.5.0", "curl", OTHER),
            ("", OTHER, OTHER),
            ("한국", OTHER, OTHER),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::USER_AGENT, said.as_bytes().try_into().unwrap());
            assert_eq!(Agent::of(&headers), Agent { program, platform }, "{said}");
        }
        assert_eq!(Agent::of(&HeaderMap::new()).program, OTHER);
    }
}
