//! The name a peer goes by at a tracker, under rules that let every script in and keep look-alikes out.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use precis_core::profile::PrecisFastInvocation;
use precis_profiles::UsernameCasePreserved;
use unicode_security::MixedScript;

/// The longest username, in characters (Unicode scalar values).
pub const MAX_USERNAME_CHARS: usize = 64;

/// Characters that PRECIS lets through and that have a meaning in HTML, JSON, paths or shells.
const REFUSED: [char; 9] = ['<', '>', '"', '\'', '&', '/', '\\', '`', '%'];

/// A name that fits RFC 8265 `UsernameCasePreserved`: 1–64 characters in NFC, shown as typed, letters of one script.
///
/// Names are hints, never proofs: a peer is its [`PeerId`](super::PeerId).
///
/// ```
/// use chatp2p_core::identity::Username;
///
/// let name: Username = "José-ñandú".parse()?;
/// assert_eq!(name.as_str(), "José-ñandú");
/// assert!("two words".parse::<Username>().is_err());
/// # Ok::<(), chatp2p_core::identity::UsernameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Username(String);

/// The two shapes of a name that must not be shared with another name: what it looks like as typed, and in lower case
/// (UTS 39 skeletons).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skeletons {
    /// The skeleton of the name as typed.
    pub typed: String,
    /// The skeleton of the name in lower case.
    pub folded: String,
}

impl Username {
    /// Parses a name. The same as `str::parse`.
    ///
    /// # Errors
    /// [`UsernameError`], whose text says what to type instead.
    pub fn new(text: &str) -> Result<Self, UsernameError> {
        if text.trim().is_empty() {
            return Err(UsernameError::Empty);
        }
        // Counted before any Unicode work, so that a huge name costs nothing.
        if text.chars().take(MAX_USERNAME_CHARS + 1).count() > MAX_USERNAME_CHARS {
            return Err(UsernameError::TooLong);
        }
        check_characters(text)?;
        let enforced = enforce(text)?;
        // What was composed may be what would have been refused: `=` with a stroke through it is `≠`. Such a name could be taken
        // and kept, and never be read again (RFC 8264, section 7).
        if let Some(unstable) = differs(&enforced, &enforce(&enforced)?) {
            return Err(UsernameError::Character(unstable));
        }
        if enforced.chars().count() > MAX_USERNAME_CHARS {
            return Err(UsernameError::TooLong);
        }
        // Wide and narrow forms have become the usual ones, which may be some of those that are refused.
        check_characters(&enforced)?;
        if !enforced.is_single_script() {
            return Err(UsernameError::MixedScripts);
        }
        Ok(Self(enforced.into_owned()))
    }

    /// The name as it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the name looks like.
    pub fn skeletons(&self) -> Skeletons {
        let folded = self.0.to_lowercase();
        Skeletons {
            typed: unicode_security::skeleton(&self.0).collect(),
            folded: unicode_security::skeleton(&folded).collect(),
        }
    }

    /// Whether a person could take one name for the other. Every name is confusable with itself.
    pub fn is_confusable_with(&self, other: &Self) -> bool {
        self.skeletons().meets(&other.skeletons())
    }
}

fn enforce(text: &str) -> Result<Cow<'_, str>, UsernameError> {
    UsernameCasePreserved::enforce(text).map_err(|error| match error {
        precis_core::Error::BadCodepoint(info) => {
            UsernameError::Character(char::from_u32(info.cp).unwrap_or(char::REPLACEMENT_CHARACTER))
        }
        _ => UsernameError::Direction,
    })
}

/// The first character that is not the same in both.
fn differs(one: &str, other: &str) -> Option<char> {
    let end = std::iter::once(char::REPLACEMENT_CHARACTER);
    let mut pairs = one.chars().chain(end.clone()).zip(other.chars().chain(end));
    pairs.find(|(one, other)| one != other).map(|(one, _)| one)
}

/// Nothing that has a meaning elsewhere.
fn check_characters(text: &str) -> Result<(), UsernameError> {
    if text.chars().any(char::is_whitespace) {
        return Err(UsernameError::Space);
    }
    if let Some(refused) = text.chars().find(|c| REFUSED.contains(c) || c.is_control()) {
        return Err(UsernameError::Character(refused));
    }
    // These would be resolved away as steps of a path.
    if text == "." || text == ".." {
        return Err(UsernameError::Dots);
    }
    Ok(())
}

impl Skeletons {
    /// Whether either shape of one name is a shape of the other.
    pub fn meets(&self, other: &Self) -> bool {
        [&self.typed, &self.folded].iter().any(|mine| **mine == other.typed || **mine == other.folded)
    }
}

impl FromStr for Username {
    type Err = UsernameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Username({})", self.0)
    }
}

impl<C> minicbor::Encode<C> for Username {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.0)?.ok()
    }
}

impl<'b, C> minicbor::Decode<'b, C> for Username {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::new(d.str()?).map_err(minicbor::decode::Error::custom)
    }
}

/// Why a text is no username; each says what to type instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UsernameError {
    /// Nothing there, or only blanks.
    #[error("a username needs at least one letter or digit")]
    Empty,
    /// More than [`MAX_USERNAME_CHARS`].
    #[error("a username has at most {MAX_USERNAME_CHARS} characters")]
    TooLong,
    /// A space or another blank.
    #[error("a username has no spaces: type a hyphen or an underscore instead")]
    Space,
    /// A control character, a symbol, or one of the characters that mean something elsewhere.
    #[error("a username may not contain {0:?}: use letters, digits, and . _ -")]
    Character(char),
    /// `.` or `..`, which mean a place.
    #[error("a username may not be . or ..: add a letter or digit")]
    Dots,
    /// Left-to-right and right-to-left characters in an order that cannot be displayed safely, or none that says which it is.
    #[error("a username reads in one direction; where that is from right to left, it begins with a letter")]
    Direction,
    /// Letters of several scripts, by which look-alikes are made.
    #[error("a username keeps to the letters of one script")]
    MixedScripts,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_any_one_script_pass_unchanged() {
        for name in ["alice", "ALICE", "José-ñandú", "Владимир", "小明", "さくら太郎", "عمر", "a", "x_1.2-3", "Ñ"]
        {
            assert_eq!(Username::new(name).map(|n| n.to_string()), Ok(name.to_owned()));
        }
        assert!(Username::new(&"x".repeat(64)).is_ok());
    }

    #[test]
    fn what_is_composed_of_legal_characters_is_judged_as_what_it_becomes() {
        assert_eq!(Username::new("a=\u{338}"), Err(UsernameError::Character('≠')));
        assert_eq!(Username::new("e\u{301}").map(|name| name.to_string()), Ok("é".to_owned()));
    }

    #[test]
    fn what_is_refused_says_what_to_type() {
        assert_eq!(Username::new(""), Err(UsernameError::Empty));
        assert_eq!(Username::new(" \t"), Err(UsernameError::Empty));
        assert_eq!(Username::new(&"x".repeat(65)), Err(UsernameError::TooLong));
        assert_eq!(Username::new("two words"), Err(UsernameError::Space));
        assert_eq!(Username::new(".."), Err(UsernameError::Dots));
        for bad in ['<', '>', '"', '\'', '&', '/', '\\', '`', '\0', '\u{7f}', '\u{200d}', '\u{202e}'] {
            assert_eq!(Username::new(&format!("al{bad}ice")), Err(UsernameError::Character(bad)), "{bad:?}");
        }
        assert_eq!(Username::new("\u{430}lice"), Err(UsernameError::MixedScripts));
    }

    #[test]
    fn wide_forms_bring_in_nothing_that_is_refused() {
        for (wide, usual) in
            [('＜', '<'), ('＞', '>'), ('＂', '"'), ('＆', '&'), ('／', '/'), ('＼', '\\'), ('％', '%')]
        {
            assert_eq!(Username::new(&format!("al{wide}ice")), Err(UsernameError::Character(usual)), "{wide}");
        }
        assert_eq!(Username::new("．．"), Err(UsernameError::Dots));
        assert_eq!(Username::new("ａｌｉｃｅ").map(|name| name.to_string()), Ok("alice".to_owned()));
    }

    #[test]
    fn look_alikes_share_a_skeleton() {
        let alike = |a: &str, b: &str| match (Username::new(a), Username::new(b)) {
            (Ok(a), Ok(b)) => a.is_confusable_with(&b),
            other => panic!("{other:?}"),
        };
        assert!(alike("alice", "ALICE"));
        assert!(alike("alice", "aIice"), "capital i for l");
        assert!(alike("admin", "adm\u{131}n"), "dotless i");
        assert!(alike("scope", "\u{455}\u{441}\u{43e}\u{440}\u{435}"), "wholly Cyrillic");
        assert!(!alike("alice", "bob"));
        assert!(!alike("alice1", "alice2"));
    }
}
