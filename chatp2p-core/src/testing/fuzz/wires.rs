//! What comes over a link: frames, what is inside ciphertexts, how frames are cut out of the stream, and the request with
//! which a link is opened.

use super::{Choices, Depth};
use crate::clock::Wall;
use crate::crypto::{Ciphertext, Mark, Nack, OLM_V2, Offer, SessionId, Watchword};
use crate::identity::Identity;
use crate::message::{
    Body, Conversation, Entry, EntryId, Epoch, LogHash, MAX_FRAME_BYTES, MAX_TEXT_BYTES, Place, Position,
};
use crate::protocol::wire::{
    self, Content, EpochEnd, Frame, Letter, LogEntry, MAX_POSITIONS, MAX_REASON_BYTES, MAX_RECORDS, MAX_SOUGHT, Reason,
};
use crate::record::ExchangeKey;
use crate::transport::secure::frames_of;

/// Any bytes as a frame.
pub(super) fn frame(input: &[u8]) -> Depth {
    let Ok(frame) = wire::decode(input) else { return Depth::Refused };
    assert!(input.len() <= MAX_FRAME_BYTES);
    match &frame {
        Frame::Greeting { have, .. } => assert!(have.len() <= MAX_POSITIONS),
        Frame::Goodbye { reason: Reason::Refused(code) } => assert!(code.len() <= MAX_REASON_BYTES),
        Frame::Entry(entry) => assert_eq!(entry.before.is_none(), entry.n == 1, "only the first follows nothing"),
        Frame::Seek { of, .. } => assert!(of.len() <= MAX_SOUGHT),
        Frame::Records { records } => assert!(records.len() <= MAX_RECORDS),
        Frame::Goodbye { .. } | Frame::Hello { .. } | Frame::Ack(_) | Frame::Nack(_) | Frame::Read(_) => {}
    }
    assert_eq!(wire::decode(&wire::encode(&frame)), Ok(frame), "what was read is written so that it is read again");
    assert!(wire::decode(&[input, &[0]].concat()).is_err(), "nothing may trail");
    assert!(wire::decode(&input[..input.len() - 1]).is_err(), "nothing may be missing");
    Depth::Deep
}

pub(super) fn frame_seeds() -> Vec<Vec<u8>> {
    frames().iter().map(wire::encode).collect()
}

/// One of each kind.
fn frames() -> Vec<Frame> {
    let (alice, bob) = (Identity::from_seed(&[1; 32]), Identity::from_seed(&[2; 32]));
    let record = super::signed::signed_record();
    let keys = super::signed::pre_keys();
    let position = |n| Position { epoch: Epoch::new(n), n, hash: LogHash::from_bytes([7; 32]) };
    let offer = Offer::sign(&alice, &keys, bob.peer_id(), ExchangeKey::from_bytes([3; 32]));
    let ciphertext = |begins| Ciphertext {
        suite: OLM_V2,
        session: SessionId::from_bytes([9; 32]),
        begins,
        message: b"not for everybody".to_vec(),
    };
    let entry =
        |n, before, follows| LogEntry { epoch: Epoch::new(5), n, before, follows, ciphertext: ciphertext(n == 1) };
    let end = EpochEnd { epoch: Epoch::new(u64::MAX), n: 80 };
    vec![
        Frame::Hello { record },
        Frame::Greeting { have: Vec::new(), offer: None, watchword: None },
        Frame::Greeting { have: (1..=8).map(position).collect(), offer: Some(offer), watchword: None },
        Frame::Entry(entry(1, None, None)),
        Frame::Entry(entry(1, None, Some(end))),
        Frame::Entry(entry(300, Some(LogHash::from_bytes([1; 32])), None)),
        Frame::Ack(position(70_000)),
        Frame::Goodbye { reason: Reason::Disconnected },
        Frame::Goodbye { reason: Reason::Stopped },
        Frame::Goodbye { reason: Reason::Superseded },
        Frame::Goodbye { reason: Reason::Refused("key_changed".to_owned()) },
        Frame::Nack(Nack::sign(&alice, bob.peer_id(), Epoch::new(5), 1, ciphertext(true).hash())),
        Frame::Read(Place { epoch: Epoch::new(u64::MAX), n: 300 }),
        Frame::Greeting { have: Vec::new(), offer: None, watchword: Some(Watchword::from_bytes([8; 32])) },
        Frame::Seek { salt: [4; 16], of: vec![Mark::from_bytes([5; 16]); MAX_SOUGHT] },
        Frame::Records { records: vec![super::signed::signed_record()] },
    ]
}

/// Any bytes as what stood in a ciphertext.
pub(super) fn letter(input: &[u8]) -> Depth {
    let Ok(letter) = wire::decode_letter(input) else { return Depth::Refused };
    if let Content::Entry(entry) = &letter.content {
        let Body::Text(text) = &entry.body;
        assert!(text.len() <= MAX_TEXT_BYTES);
        // As a receiver goes on with it.
        entry.chain(letter.conversation, letter.epoch, letter.n, letter.before);
    }
    assert_eq!(wire::decode_letter(&wire::encode_letter(&letter)), Ok(letter));
    assert!(wire::decode_letter(&[input, &[0]].concat()).is_err(), "nothing may trail");
    assert!(wire::decode_letter(&input[..input.len() - 1]).is_err(), "nothing may be missing");
    Depth::Deep
}

pub(super) fn letter_seeds() -> Vec<Vec<u8>> {
    let [from, to] = [1, 2].map(|seed| Identity::from_seed(&[seed; 32]).peer_id());
    let said = |text: &str| {
        let (id, written) = (EntryId::from_bytes([4; 16]), Wall::from_millis(1_700_000_000_000));
        Content::Entry(Entry { id, written, body: Body::Text(text.to_owned()) })
    };
    let letter = |n, content| Letter {
        conversation: Conversation::direct(from, to),
        from,
        to,
        epoch: Epoch::new(5),
        n,
        before: (n > 1).then_some(LogHash::from_bytes([1; 32])),
        follows: (n == 1).then_some(EpochEnd { epoch: Epoch::new(4), n: 9 }),
        content,
    };
    let erased = Content::Erased(LogHash::from_bytes([8; 32]));
    let letters = [letter(1, said("hello, ñandú 😀")), letter(2, said("")), letter(u64::MAX, erased)];
    letters.iter().map(wire::encode_letter).collect()
}

/// Any bytes in pieces of any size as what comes out of the tunnel: the frames are those that a plain reading of all of it
/// finds, wherever it was cut.
pub(super) fn framing(input: &[u8]) -> Depth {
    let mut choices = Choices::new(input);
    let piece = usize::from(choices.byte()) + 1;
    let stream = choices.rest();
    let mut expected = Vec::new();
    let mut rest = stream;
    let too_large = loop {
        let Some((length, after)) = rest.split_first_chunk::<4>() else { break false };
        let length = u32::from_be_bytes(*length) as usize;
        if length > MAX_FRAME_BYTES {
            break true;
        }
        let Some((frame, after)) = after.split_at_checked(length) else { break false };
        expected.push(frame);
        rest = after;
    };
    let (frames, refused) = frames_of(super::signed::alice().peer_id(), stream.chunks(piece));
    assert_eq!(frames, expected);
    assert_eq!(refused, too_large, "a length is refused before its bytes are there");
    Depth::of(!frames.is_empty())
}

pub(super) fn framing_seeds() -> Vec<Vec<u8>> {
    let framed = |frame: &[u8]| [&u32::try_from(frame.len()).unwrap().to_be_bytes()[..], frame].concat();
    let two = [framed(b"hello"), framed(b""), framed(&[7; 40])].concat();
    let cut = &two[..two.len() - 3];
    vec![
        [&[0][..], &two].concat(),
        [&[6][..], cut].concat(),
        [&[255][..], &framed(b"x"), &u32::MAX.to_be_bytes()].concat(),
        [&[2][..], &framed(&wire::encode(&Frame::Goodbye { reason: Reason::Stopped }))].concat(),
    ]
}

/// Any bytes as the request that opens a link, and what follows it.
#[cfg(feature = "websocket")]
pub(super) fn handshake(input: &[u8]) -> Depth {
    use crate::transport::MAX_LINK_MESSAGE_BYTES;
    let (answer, messages) = crate::transport::websocket::greeted(input);
    assert!(messages.iter().all(|message| *message <= MAX_LINK_MESSAGE_BYTES));
    let let_in = answer.starts_with(b"HTTP/1.1 101 ");
    if let_in {
        // Empty lines before a request are nothing (RFC 9112, section 2.2).
        let input = input.trim_ascii_start();
        let end = input.windows(4).position(|four| four == b"\r\n\r\n").map_or(input.len(), |at| at + 4);
        let head = String::from_utf8_lossy(input.get(..end).unwrap_or_default());
        let mut lines = head.lines();
        let target = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
        let path = target.split(['?', '#']).next().unwrap_or_default();
        // A proxy may have written the whole address.
        let path = path.split_once("://").map_or(path, |(_, rest)| rest.find('/').map_or("", |at| &rest[at..]));
        assert_eq!(path, "/p2p", "let in at {target:?}");
        let mut headers = lines.filter_map(|line| line.split_once(':'));
        assert!(headers.clone().all(|(name, _)| !name.eq_ignore_ascii_case("origin")), "a page was let in");
        let names = |(name, list): (&str, &str)| {
            name.eq_ignore_ascii_case("sec-websocket-protocol") && list.split(',').any(|one| one.trim() == "chatp2p.v1")
        };
        assert!(headers.any(names), "the protocol was not named");
    } else {
        assert!(messages.is_empty(), "nothing is read from who was not let in");
    }
    Depth::of(let_in)
}

#[cfg(feature = "websocket")]
pub(super) fn handshake_seeds() -> Vec<Vec<u8>> {
    let request = |path: &str, more: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:5001\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
        )
        .into_bytes()
    };
    let protocol = "Sec-WebSocket-Protocol: chatp2p.v1\r\n";
    let masked = |opcode: u8, text: &[u8]| {
        let length = u8::try_from(text.len()).unwrap();
        [&[0x80 | opcode, 0x80 | length, 0, 0, 0, 0][..], text].concat()
    };
    let (binary, ping, close) = (masked(2, b"hello"), masked(9, b"?"), masked(8, &[3, 232]));
    let whole = [request("/p2p", protocol), binary, ping, close].concat();
    let part = [request("/p2p", protocol), vec![0x02, 0x81, 1, 2, 3, 4, 5], vec![0x80, 0x81, 1, 2, 3, 4, 5]].concat();
    let huge = [request("/p2p", protocol), vec![0x82, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4]].concat();
    vec![
        whole,
        part,
        huge,
        request("/p2p", &format!("{protocol}Origin: https://example.org\r\n")),
        request("/p2p", "Sec-WebSocket-Protocol: other, chatp2p.v1\r\n"),
        request("/p2p", ""),
        request("/else", protocol),
        b"POST /p2p HTTP/1.0\r\n\r\n".to_vec(),
    ]
}
