//! Images of a product, which are by address somewhere else. Pure. Called by `draft`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::draft::at_most;
use crate::catalog::text::Text;
use crate::limits::{IMAGES_MAX, TITLE_CHARS_MAX, URL_CHARS_MAX};
use crate::validate::Problems;

/// A picture that is somewhere else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Image {
    /// http or https
    #[schema(max_length = 500)]
    pub url: String,
    /// What it shows, for those who do not see it
    #[serde(default)]
    pub alt: Text,
}

pub(super) fn images(problems: &mut Problems, images: Vec<Image>) -> Option<Vec<Image>> {
    let images = at_most(problems, "/images", images, IMAGES_MAX)?;
    let mut checked = Vec::with_capacity(images.len());
    for (i, image) in images.into_iter().enumerate() {
        let at = format!("/images/{i}");
        if !is_web_url(&image.url) {
            problems.add(
                format!("{at}/url"),
                format_args!("must be an http or https address of at most {URL_CHARS_MAX} ASCII characters, without spaces"),
            );
        }
        let alt = image
            .alt
            .prose(problems, &format!("{at}/alt"), TITLE_CHARS_MAX);
        checked.extend(alt.map(|alt| Image {
            url: image.url,
            alt,
        }));
    }
    Some(checked)
}

/// It ends up in pages, so nothing but a web address passes.
fn is_web_url(url: &str) -> bool {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    let plain = |b: u8| b.is_ascii_graphic() && !b"\"'<>\\`{}|^".contains(&b);
    url.len() <= URL_CHARS_MAX
        && url.bytes().all(plain)
        && rest
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '['))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_are_images() {
        for bad in [
            "",
            "https://",
            "https:///x",
            "ftp://a/x",
            "https://a/x y",
            "https://a/\"onload",
            "//a/x",
        ] {
            assert!(!is_web_url(bad), "{bad}");
        }
        assert!(is_web_url("http://[::1]:8080/a.png?w=1&h=2"));
    }
}
