//! What was heard against what was said: the same texts under the same ids, in order, once.

use std::fmt;

/// How much of a text is shown on either side of the first character that differs.
const SHOWN: usize = 30;

/// A text, and the id under which it was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) id: String,
    pub(crate) text: String,
}

/// The first place where what was heard is not what was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Counted from 1.
    place: usize,
    expected: Option<Said>,
    got: Option<Said>,
    /// Where what was got had been said instead, counted from 1.
    said_at: Option<usize>,
    counts: (usize, usize),
}

/// Compares all of it.
pub(crate) fn compare(said: &[Said], heard: &[Said]) -> Result<(), Box<Difference>> {
    let longest = said.len().max(heard.len());
    match (0..longest).find(|&n| said.get(n) != heard.get(n)) {
        None => Ok(()),
        Some(n) => {
            let got = heard.get(n).cloned();
            let said_at = got.as_ref().and_then(|got| said.iter().position(|said| said == got)).map(|at| at + 1);
            let expected = said.get(n).cloned();
            let counts = (said.len(), heard.len());
            Err(Box::new(Difference { place: n + 1, expected, got, said_at, counts }))
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (said, heard) = self.counts;
        write!(f, "{said} were said and {heard} heard; they differ at number {}: ", self.place)?;
        let text = |of: &Option<Said>| of.as_ref().map(|said| said.text.clone()).unwrap_or_default();
        let (expected, got) = (text(&self.expected), text(&self.got));
        let at = expected.chars().zip(got.chars()).take_while(|(expected, got)| expected == got).count();
        write!(f, "expected {}, ", Shown { said: self.expected.as_ref(), at })?;
        write!(f, "got {}", Shown { said: self.got.as_ref(), at })?;
        match self.said_at {
            Some(at) if at < self.place => write!(f, " (number {at} again)"),
            Some(at) => write!(f, " (number {at} too early)"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Difference {}

/// The part of a text around a place, escaped: much of what may differ cannot be seen.
struct Shown<'a> {
    said: Option<&'a Said>,
    at: usize,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(said) = self.said else { return f.write_str("nothing") };
        let from = self.at.saturating_sub(SHOWN);
        let part: String = said.text.chars().skip(from).take(2 * SHOWN).collect();
        let length = said.text.chars().count();
        if part == said.text {
            write!(f, "{part:?} [{}]", said.id)
        } else {
            write!(f, "{part:?} (from character {from} of {length}) [{}]", said.id)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(texts: &[&str]) -> Vec<Said> {
        texts.iter().enumerate().map(|(n, text)| one(n, text)).collect()
    }

    fn one(id: usize, text: &str) -> Said {
        Said { id: format!("id{id}"), text: (*text).to_owned() }
    }

    fn shown(expected: &[Said], heard: &[Said]) -> String {
        compare(expected, heard).unwrap_err().to_string()
    }

    #[test]
    fn the_same_is_no_difference() {
        compare(&[], &[]).unwrap();
        compare(&said(&["a", "", "a"]), &said(&["a", "", "a"])).unwrap();
    }

    #[test]
    fn a_changed_text_is_shown_with_what_it_should_be() {
        let shown = shown(&said(&["a", "<b>", "c"]), &said(&["a", "&lt;b>", "c"]));
        assert_eq!(
            shown,
            r#"3 were said and 3 heard; they differ at number 2: expected "<b>" [id1], got "&lt;b>" [id1]"#
        );
    }

    #[test]
    fn what_cannot_be_seen_is_escaped() {
        assert!(shown(&said(&["e\u{301}"]), &said(&["\u{e9}"])).contains(r#"expected "e\u{301}" [id0], got "é""#));
        assert!(shown(&said(&["\u{202e}x"]), &said(&["x"])).contains(r#"expected "\u{202e}x""#));
    }

    #[test]
    fn of_a_long_text_the_part_around_the_difference_is_shown() {
        let long = "é".repeat(1_000);
        let cut = format!("{}!{}", "é".repeat(500), "é".repeat(499));
        let shown = shown(&said(&[&long]), &said(&[&cut]));
        assert!(shown.contains("!") && shown.contains("(from character 470 of 1000)"), "{shown}");
        assert!(shown.len() < 500, "{shown}");
    }

    #[test]
    fn a_lost_text_at_the_end_is_missed() {
        assert!(shown(&said(&["a", "b"]), &said(&["a"])).ends_with(r#"number 2: expected "b" [id1], got nothing"#));
    }

    #[test]
    fn a_text_that_came_twice_is_noticed() {
        let twice = [one(0, "a"), one(0, "a"), one(1, "b")];
        assert!(shown(&said(&["a", "b"]), &twice).ends_with("(number 1 again)"));
        let at_the_end = [one(0, "a"), one(1, "b"), one(1, "b")];
        let shown = shown(&said(&["a", "b"]), &at_the_end);
        assert!(shown.ends_with(r#"number 3: expected nothing, got "b" [id1] (number 2 again)"#), "{shown}");
    }

    #[test]
    fn a_text_that_overtook_another_is_noticed() {
        let overtaken = [one(1, "b"), one(0, "a")];
        assert!(shown(&said(&["a", "b"]), &overtaken).ends_with("(number 2 too early)"));
    }

    #[test]
    fn the_same_text_under_another_id_is_another_message() {
        compare(&[one(0, "a")], &[one(7, "a")]).unwrap_err();
    }
}
