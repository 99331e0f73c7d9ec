//! Who may do what, as it is written down: tokens and one-time codes by their hashes, each list bounded. Pure: the time
//! comes in as an argument.

use std::time::Duration;

use chatp2p_core::clock::Wall;
use serde::{Deserialize, Serialize};

use super::scope::Scope;
use super::secret::{Digest, Secret};

/// How many tokens there may be that somebody made: one for each program of a household, many times over. Each request
/// with a token is compared with all of them.
pub(crate) const MAX_TOKENS: usize = 100;

/// How many pages may be signed in by a link; the oldest gives way. Nobody has more tabs of one chat in use.
pub(crate) const MAX_SESSIONS: usize = 32;

/// How many links may wait to be opened; the oldest gives way.
const MAX_CODES: usize = 8;

/// How long a link may be opened: the way from a terminal to a browser, also on another machine.
pub(crate) const CODE_LIFE: Duration = Duration::from_secs(10 * 60);

/// The longest label of a token, in characters: it is for people, in one line of a table.
pub(crate) const MAX_LABEL: usize = 64;

/// What a token begins with, for people and for scanners that look for secrets in the wrong place.
const TOKEN_BEGINS: &str = "chatp2p_";

/// All that is written down.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Book {
    pub(crate) tokens: Vec<Token>,
    #[serde(default)]
    codes: Vec<OneTimeCode>,
    /// Where the page of the peer that was started last is.
    #[serde(default)]
    pub(crate) page: Option<String>,
}

/// A token, without the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Token {
    /// The beginning of its hash: enough to tell it from all others.
    pub(crate) id: String,
    /// What somebody called it.
    pub(crate) label: String,
    pub(crate) scope: Scope,
    /// In milliseconds since 1970.
    created: u64,
    /// Whether a page got it for a code.
    #[serde(default)]
    pub(crate) session: bool,
    digest: Digest,
}

impl Token {
    pub(crate) const fn created(&self) -> Wall {
        Wall::from_millis(self.created)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct OneTimeCode {
    digest: Digest,
    /// In milliseconds since 1970.
    created: u64,
}

impl OneTimeCode {
    /// A clock that was put back makes a code that seems to come from the future: it is none either.
    const fn is_good(&self, now: Wall) -> bool {
        let age = now.as_millis().checked_sub(self.created);
        matches!(age, Some(age) if (age as u128) < CODE_LIFE.as_millis())
    }
}

/// Why something cannot be written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BookError {
    #[error("there are {MAX_TOKENS} tokens already: revoke one that is not used any more (chatp2p-peer token list)")]
    Full,
    #[error("a label is at most {MAX_LABEL} characters, none of which controls a terminal")]
    Label,
    #[error("the system gives no randomness")]
    Random(#[from] getrandom::Error),
}

impl Book {
    /// The token that somebody presents, if it is one. Looks at all of them, whichever it is.
    pub(crate) fn token(&self, presented: &Secret) -> Option<&Token> {
        let digest = presented.digest();
        self.tokens.iter().fold(None, |found, token| if token.digest == digest { Some(token) } else { found })
    }

    /// Makes a token that somebody asks for.
    pub(crate) fn create(&mut self, scope: Scope, label: &str, now: Wall) -> Result<(Token, Secret), BookError> {
        if label.chars().count() > MAX_LABEL || label.chars().any(char::is_control) {
            return Err(BookError::Label);
        }
        if self.tokens.iter().filter(|token| !token.session).count() >= MAX_TOKENS {
            return Err(BookError::Full);
        }
        self.add(scope, label, false, now)
    }

    fn add(&mut self, scope: Scope, label: &str, session: bool, now: Wall) -> Result<(Token, Secret), BookError> {
        let secret = Secret::draw(TOKEN_BEGINS)?;
        let digest = secret.digest();
        let (label, created) = (label.to_owned(), now.as_millis());
        let token = Token { id: digest.begins(), label, scope, created, session, digest };
        self.tokens.push(token.clone());
        Ok((token, secret))
    }

    /// Strikes a token out. Says whether there was one.
    pub(crate) fn revoke(&mut self, id: &str) -> bool {
        let before = self.tokens.len();
        self.tokens.retain(|token| token.id != id);
        self.tokens.len() < before
    }

    /// Makes a code that is good once.
    pub(crate) fn add_code(&mut self, now: Wall) -> Result<Secret, BookError> {
        let secret = Secret::draw("")?;
        self.codes.retain(|code| code.is_good(now));
        self.codes.push(OneTimeCode { digest: secret.digest(), created: now.as_millis() });
        let too_many = self.codes.len().saturating_sub(MAX_CODES);
        self.codes.drain(..too_many);
        Ok(secret)
    }

    /// Whether a code may be exchanged.
    pub(crate) fn knows_code(&self, presented: &Secret, now: Wall) -> bool {
        let digest = presented.digest();
        self.codes.iter().fold(false, |known, code| known | (code.digest == digest && code.is_good(now)))
    }

    /// Uses a code up and gives a token of the page's own for it.
    pub(crate) fn exchange(&mut self, presented: &Secret, now: Wall) -> Result<Option<Secret>, BookError> {
        if !self.knows_code(presented, now) {
            return Ok(None);
        }
        let digest = presented.digest();
        self.codes.retain(|code| code.digest != digest);
        let sessions = self.tokens.iter().filter(|token| token.session);
        if sessions.clone().count() >= MAX_SESSIONS
            && let Some(oldest) = sessions.min_by_key(|token| token.created).map(|token| token.id.clone())
        {
            self.revoke(&oldest);
        }
        Ok(Some(self.add(Scope::Admin, "page", true, now)?.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Wall = Wall::from_millis(1_800_000_000_000);

    #[test]
    fn a_token_is_known_until_it_is_revoked() {
        let mut book = Book::default();
        let (token, secret) = book.create(Scope::Send, "bot", NOW).unwrap();
        let (_, other) = book.create(Scope::Read, "", NOW).unwrap();
        assert_eq!(book.token(&secret), Some(&token));
        assert!(secret.expose().starts_with("chatp2p_"));
        assert!(book.revoke(&token.id) && !book.revoke(&token.id));
        assert_eq!(book.token(&secret), None);
        assert_eq!(book.token(&other).unwrap().scope, Scope::Read);
    }

    #[test]
    fn a_book_that_was_damaged_is_none_or_admits_nobody_to_more() {
        let mut book = Book::default();
        let (_, mine) = book.create(Scope::Read, "bot", NOW).unwrap();
        book.add_code(NOW).unwrap();
        let (_, stranger) = Book::default().create(Scope::Admin, "", NOW).unwrap();
        let written = serde_json::to_vec(&book).unwrap();
        for at in 0..written.len() {
            assert!(serde_json::from_slice::<Book>(&written[..at]).is_err(), "cut at {at}");
            for byte in [0, b'"', b'0', b'9', b'{', b'}', 0xff, written[at] ^ 1, written[at] ^ 0x20] {
                let mut damaged = written.clone();
                damaged[at] = byte;
                let Ok(read) = serde_json::from_slice::<Book>(&damaged) else { continue };
                assert!(read.token(&stranger).is_none() && !read.knows_code(&stranger, NOW), "{byte} at {at}");
                assert!(read.token(&mine).is_none_or(|token| token.scope == Scope::Read), "{byte} at {at}");
            }
        }
    }

    #[test]
    fn what_is_written_down_holds_no_secret_and_can_be_read_again() {
        let mut book = Book::default();
        let (_, token) = book.create(Scope::Admin, "mine", NOW).unwrap();
        let code = book.add_code(NOW).unwrap();
        let written = serde_json::to_string(&book).unwrap();
        assert!(!written.contains(token.expose()) && !written.contains(code.expose()));
        assert_eq!(serde_json::from_str::<Book>(&written).unwrap(), book);
    }

    #[test]
    fn there_are_only_so_many_tokens_and_their_labels_are_one_line() {
        let mut book = Book::default();
        for label in ["two\nlines", "\u{1b}[2J", &"x".repeat(MAX_LABEL + 1)] {
            assert_eq!(book.create(Scope::Read, label, NOW).unwrap_err(), BookError::Label);
        }
        for _ in 0..MAX_TOKENS {
            book.create(Scope::Read, &"ñ".repeat(MAX_LABEL), NOW).unwrap();
        }
        assert_eq!(book.create(Scope::Read, "", NOW).unwrap_err(), BookError::Full);
        let code = book.add_code(NOW).unwrap();
        assert!(book.exchange(&code, NOW).unwrap().is_some(), "a page finds room all the same");
    }

    #[test]
    fn a_code_is_good_once_and_not_for_long() {
        let mut book = Book::default();
        let code = book.add_code(NOW).unwrap();
        assert!(book.exchange(&Secret::presented("guess"), NOW).unwrap().is_none());
        let session = book.exchange(&code, NOW).unwrap().unwrap();
        assert_eq!(book.token(&session).unwrap().scope, Scope::Admin);
        assert!(book.exchange(&code, NOW).unwrap().is_none(), "used");
        let code = book.add_code(NOW).unwrap();
        assert!(!book.knows_code(&code, NOW.plus(CODE_LIFE)), "too late");
        assert!(!book.knows_code(&code, Wall::from_millis(NOW.as_millis() - 1)), "before its time");
        assert!(book.knows_code(&code, NOW.plus(CODE_LIFE - Duration::from_millis(1))));
    }

    #[test]
    fn the_oldest_codes_and_pages_give_way() {
        let mut book = Book::default();
        let codes: Vec<_> = (0..=MAX_CODES).map(|_| book.add_code(NOW).unwrap()).collect();
        assert!(!book.knows_code(&codes[0], NOW) && book.knows_code(&codes[1], NOW));
        let mut pages = Vec::new();
        for age in 0..=MAX_SESSIONS as u64 {
            let at = NOW.plus(Duration::from_millis(age));
            let code = book.add_code(at).unwrap();
            pages.push(book.exchange(&code, at).unwrap().unwrap());
        }
        assert!(book.token(&pages[0]).is_none() && book.token(&pages[1]).is_some());
        assert_eq!(book.tokens.len(), MAX_SESSIONS);
    }
}
