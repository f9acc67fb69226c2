//! How texts and searches are made comparable, and what the index keeps of a text. Pure. Called by `listing` and `search`.
//!
//! Hangul (and other scripts that are written without spaces between words, or with any spaces one likes) is found anywhere
//! inside a run, and spaces within it do not count: `무선이어폰` finds `무선 이어폰`. All other words are found by their beginning:
//! `tee` finds `Tees`, not `steel`. A letter beside a digit begins a word: `s24` finds `Galaxy S24`.

use icu_normalizer::ComposingNormalizerBorrowed;

/// Bytes of a gram: four syllables, or twelve letters. Longer ones would tell more apart and cost as much again.
pub(crate) const GRAM_BYTES: usize = 12;
/// Between texts of their own, so that no search matches across.
const BREAK: char = '\n';

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Matches anywhere inside.
    Run,
    Word,
    Number,
    Between,
}

fn class(c: char) -> Class {
    match c {
        // Jamo, kana, ideographs, syllables.
        '\u{1100}'..='\u{11FF}'
        | '\u{3040}'..='\u{30FF}'
        | '\u{3400}'..='\u{4DBF}'
        | '\u{4E00}'..='\u{9FFF}'
        | '\u{A960}'..='\u{A97F}'
        | '\u{AC00}'..='\u{D7FF}'
        | '\u{20000}'..='\u{3FFFF}' => Class::Run,
        c if c.is_numeric() => Class::Number,
        c if c.is_alphabetic() => Class::Word,
        _ => Class::Between,
    }
}

/// Texts as the index has them: each token after a space, but runs that follow one another joined.
pub(crate) fn search_text<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut all = String::new();
    for text in texts {
        all.push(BREAK);
        push_tokens(&mut all, text);
    }
    all
}

/// What must be in a search text, one for each word of a search. None where the search has no letter or digit.
pub(crate) fn needles(search: &str) -> Vec<String> {
    let words = search.split_whitespace().map(|word| {
        let mut needle = String::new();
        push_tokens(&mut needle, word);
        // A run matches anywhere; all else after the space that begins a word.
        let inner = needle.trim_start();
        let is_run = inner.chars().next().is_some_and(|c| class(c) == Class::Run);
        if is_run { inner.to_owned() } else { needle }
    });
    let mut needles: Vec<String> = words.filter(|needle| !needle.is_empty()).collect();
    needles.sort();
    needles.dedup();
    needles
}

fn push_tokens(all: &mut String, text: &str) {
    let composed = ComposingNormalizerBorrowed::new_nfkc().normalize(text);
    let mut last_token = Class::Between;
    let mut before = Class::Between;
    for c in composed.to_lowercase().chars() {
        let class = class(c);
        if class != Class::Between {
            let goes_on = class == before || (class == Class::Run && last_token == Class::Run);
            if !goes_on {
                all.push(' ');
            }
            all.push(c);
            last_token = class;
        }
        before = class;
    }
}

/// The grams of a search text, or of a needle: at each place where a match can begin, the first bytes from there on. Sorted,
/// each once.
pub(crate) fn grams(text: &str) -> Vec<&str> {
    let mut grams: Vec<&str> = Vec::new();
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let begins = match class(c) {
            Class::Between => false,
            Class::Run => true,
            Class::Word | Class::Number => before == ' ',
        };
        if begins {
            grams.push(head(&text[at..]));
        }
        before = c;
    }
    grams.sort_unstable();
    grams.dedup();
    grams
}

/// As many whole characters as fit into a gram.
fn head(text: &str) -> &str {
    let line = text.split(BREAK).next().unwrap_or_default();
    let mut end = line.len().min(GRAM_BYTES);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    &line[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(search: &str, text: &str) -> bool {
        let text = search_text([text]);
        let needles = needles(search);
        let found = needles.iter().all(|needle| text.contains(needle.as_str()));
        if found {
            let grams_of_text = grams(&text);
            for gram in needles.iter().flat_map(|needle| grams(needle)) {
                assert!(
                    grams_of_text.iter().any(|g| g.starts_with(gram)),
                    "{search} in {text:?}: {gram:?} in {grams_of_text:?}"
                );
            }
        }
        found && !needles.is_empty()
    }

    #[test]
    fn hangul_is_found_anywhere_and_spaces_within_it_do_not_count() {
        for (search, text) in [
            ("항아리", "달항아리 머그컵"),
            ("리머", "달항아리 머그컵"),
            ("무선이어폰", "무선 이어폰 블랙"),
            ("이어폰 무선", "무선이어폰"),
            ("컵", "머그컵"),
            ("캠핑용접이식의자", "[특가] 캠핑용 접이식 의자, 2개"),
        ] {
            assert!(finds(search, text), "{search} in {text}");
        }
        assert!(!finds("머컵", "머그컵"));
        assert!(!finds("머그컵", "머그잔"));
    }

    #[test]
    fn words_are_found_by_their_beginning() {
        assert!(finds("tee", "Tees for all"));
        assert!(finds("MOON ja", "Moon jar mug"));
        assert!(finds("s24", "갤럭시S24 울트라"));
        assert!(finds("갤럭시s24", "갤럭시 S24"));
        assert!(finds("24", "Galaxy S24"));
        assert!(finds("café", "CAFE\u{301} au lait"));
        assert!(finds("ｗｉｄｅ", "Wide"), "full-width letters are letters");
        assert!(!finds("tee", "steel"));
        assert!(!finds("jar moon x", "Moon jar"));
    }

    #[test]
    fn decomposed_hangul_is_the_same_hangul() {
        let decomposed = "\u{1106}\u{1165}\u{1100}\u{1173}";
        assert_eq!(search_text([decomposed]), search_text(["머그"]));
        assert!(finds(decomposed, "머그컵"));
    }

    #[test]
    fn a_search_without_letters_has_no_needles_and_texts_do_not_run_into_each_other() {
        assert!(needles(" !! ·… ").is_empty());
        let text = search_text(["머그", "컵 mug"]);
        assert!(!text.contains(&needles("머그컵")[0]));
        assert_eq!(grams(&text), ["mug", "그", "머그", "컵 mug"]);
    }
}
