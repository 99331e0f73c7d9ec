//! What a request presents: a token in its `Authorization`, or, when a WebSocket is opened, a ticket among its sub-protocols.

use poem::http::{HeaderMap, HeaderValue, header};

use super::secret::Secret;
use super::tickets::PROTOCOL;

/// The longest secret that is looked at; ours are a fifth of it.
const MAX_LENGTH: usize = 256;

/// What somebody presents, right or wrong.
#[derive(Debug)]
pub(super) enum Presented {
    Nothing,
    Token(Secret),
    Ticket(Secret),
    /// Something that cannot be right, whatever it is.
    Nonsense,
}

impl Presented {
    /// Reads a request's head. A ticket counts where a socket for events is opened alone.
    pub(super) fn read(headers: &HeaderMap, opens_socket: bool) -> Self {
        let mut schemes = headers.get_all(header::AUTHORIZATION).iter().filter_map(bearer);
        let token = schemes.next();
        let mut tickets = tickets(headers).filter(|_| opens_socket);
        let ticket = tickets.next();
        match (token, ticket) {
            // Two answers to one question are one too many.
            _ if schemes.next().is_some() || tickets.next().is_some() => Self::Nonsense,
            (Some(_), Some(_)) => Self::Nonsense,
            (Some(text), None) => secret(text).map_or(Self::Nonsense, Self::Token),
            (None, Some(text)) => secret(text).map_or(Self::Nonsense, Self::Ticket),
            (None, None) => Self::Nothing,
        }
    }
}

/// What stands behind `Bearer`. Another scheme is none of ours: a proxy may want a password of its own and pass it on.
fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let value = value.as_bytes().trim_ascii();
    let end = value.iter().position(u8::is_ascii_whitespace).unwrap_or(value.len());
    let (scheme, rest) = value.split_at(end);
    scheme.eq_ignore_ascii_case(b"bearer").then(|| rest.trim_ascii())
}

fn tickets(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let protocols = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    protocols.filter_map(|protocol| protocol.trim_ascii().strip_prefix(PROTOCOL.as_bytes()))
}

fn secret(text: &[u8]) -> Option<Secret> {
    let text = std::str::from_utf8(text).ok()?;
    (!text.is_empty() && text.len() <= MAX_LENGTH).then(|| Secret::presented(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&'static str, &str)], opens_socket: bool) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        match Presented::read(&map, opens_socket) {
            Presented::Nothing => "nothing".to_owned(),
            Presented::Nonsense => "nonsense".to_owned(),
            Presented::Token(secret) => format!("token {}", secret.expose()),
            Presented::Ticket(secret) => format!("ticket {}", secret.expose()),
        }
    }

    #[test]
    fn a_token_stands_behind_bearer_however_that_is_spelt() {
        for value in ["Bearer abc", "bearer abc", "BEARER   abc ", "Bearer\tabc"] {
            assert_eq!(read(&[("authorization", value)], true), "token abc", "{value}");
        }
        for value in ["Bearer", "Bearer ", &format!("Bearer {}", "x".repeat(MAX_LENGTH + 1))] {
            assert_eq!(read(&[("authorization", value)], false), "nonsense", "{value}");
        }
        for value in ["Basic YTpi", "Bearerabc", "", "abc"] {
            assert_eq!(read(&[("authorization", value)], false), "nothing", "{value}");
        }
        assert_eq!(read(&[("authorization", "Bearer a"), ("authorization", "Bearer a")], false), "nonsense");
    }

    #[test]
    fn a_ticket_is_one_of_the_protocols_and_counts_at_the_socket_alone() {
        for value in ["chatp2p.ticket.abc", "events, chatp2p.ticket.abc", "chatp2p.ticket.abc ,x"] {
            assert_eq!(read(&[("sec-websocket-protocol", value)], true), "ticket abc", "{value}");
            assert_eq!(read(&[("sec-websocket-protocol", value)], false), "nothing", "{value}");
        }
        for value in ["chatp2p.v1", "chatp2p.ticket", "", "x, y"] {
            assert_eq!(read(&[("sec-websocket-protocol", value)], true), "nothing", "{value}");
        }
        for value in ["chatp2p.ticket.", "chatp2p.ticket.a, chatp2p.ticket.b"] {
            assert_eq!(read(&[("sec-websocket-protocol", value)], true), "nonsense", "{value}");
        }
        let both = [("sec-websocket-protocol", "chatp2p.ticket.a"), ("authorization", "Bearer a")];
        assert_eq!(read(&both, true), "nonsense");
    }
}
