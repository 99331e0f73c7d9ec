//! What is said to and by a mailbox, and what is left there.

use std::fmt::Debug;
use std::sync::OnceLock;

use bytes::Bytes;

use super::signed::{alice, signed_record};
use super::{Choices, Depth};
use crate::identity::{Identity, PeerId};
use crate::mailbox::mail::{self, Mail};
use crate::mailbox::wire::{
    Answer, Kept, MailboxWireError, Refusal, Request, Terms, decode_answer, decode_request, encode_answer,
    encode_request,
};
use crate::mailbox::{BoxKeys, MailboxAddress};
use crate::record::Letterbox;

struct Honest {
    keys: BoxKeys,
    carol: PeerId,
    letterbox: Letterbox,
    sealed: Vec<u8>,
    item: Vec<u8>,
}

fn honest() -> &'static Honest {
    static HONEST: OnceLock<Honest> = OnceLock::new();
    HONEST.get_or_init(|| {
        let (keys, carol) = (BoxKeys::from_seed(&[6; 32]), Identity::from_seed(&[4; 32]).peer_id());
        let address = MailboxAddress::new(carol, vec!["memory:carol".parse().unwrap()]).unwrap();
        let letterbox = keys.letterbox(&address);
        let frames = [Bytes::from_static(b"one"), Bytes::from_static(b"another")];
        let sealed = mail::seal_with(&[9; 32], alice(), &signed_record(), &letterbox, &frames).unwrap();
        let item = mail::signed_item(alice(), &signed_record(), &letterbox, &frames).unwrap();
        Honest { keys, carol, letterbox, sealed, item }
    })
}

/// Any bytes as a request or an answer; a mail that was changed on the way; and one that its sender sealed without looking
/// at it.
pub(super) fn mail(input: &[u8]) -> Depth {
    let mut choices = Choices::new(input);
    match choices.byte() % 4 {
        0 => reads_back(choices.rest(), decode_request, encode_request),
        1 => reads_back(choices.rest(), decode_answer, encode_answer),
        2 => {
            let changed = choices.edit(&honest().sealed);
            let opened = mail::open(&honest().keys, honest().carol, &changed);
            assert_eq!(opened.is_ok(), changed == honest().sealed, "what was changed opens");
            Depth::of(opened.is_ok())
        }
        _ => {
            let item = choices.edit(&honest().item);
            let Ok(sealed) = mail::seal_item(&[8; 32], &honest().letterbox, &item) else { return Depth::Refused };
            let Ok(Mail { from, frames }) = mail::open(&honest().keys, honest().carol, &sealed) else {
                return Depth::Refused;
            };
            assert_eq!(from.record().peer_id, alice().peer_id(), "nobody else has signed anything");
            assert_eq!(frames, [&b"one"[..], b"another"]);
            Depth::Deep
        }
    }
}

fn reads_back<T: Debug + PartialEq>(
    bytes: &[u8],
    decode: fn(&[u8]) -> Result<T, MailboxWireError>,
    encode: fn(&T) -> Vec<u8>,
) -> Depth {
    let Ok(said) = decode(bytes) else { return Depth::Refused };
    assert_eq!(decode(&encode(&said)), Ok(said));
    assert!(decode(&[bytes, &[0]].concat()).is_err(), "nothing may trail");
    assert!(decode(&bytes[..bytes.len() - 1]).is_err(), "nothing may be missing");
    Depth::Deep
}

pub(super) fn mail_seeds() -> Vec<Vec<u8>> {
    let Honest { letterbox, sealed, .. } = honest();
    let deposit = Request::Deposit { letterbox: letterbox.id, sealed: sealed.clone() };
    let requests = [Request::Open, Request::Close, deposit, Request::Collect, Request::Take { numbers: vec![1, 300] }];
    let kept = Kept::sign(&Identity::from_seed(&[4; 32]), letterbox.id, sealed);
    let answers = [
        Answer::Opened(Terms { mails: 2_000, bytes: 64 << 20, keeps: 604_800, stays: 7_776_000 }),
        Answer::Closed,
        Answer::Kept(kept),
        Answer::Mail { number: 3, sealed: sealed.clone() },
        Answer::Taken,
        Answer::Refused(Refusal::Full),
        Answer::Collecting,
    ];
    let requests = requests.iter().map(|request| [&[0][..], &encode_request(request)].concat());
    let answers = answers.iter().map(|answer| [&[1][..], &encode_answer(answer)].concat());
    let edits: [&[u8]; 5] = [&[0], &[1, 0, 0, 60, 1], &[1, 1, 0, 90], &[1, 2, 0, 4, 0], &[1, 3, 0, 70]];
    let edits = edits.into_iter().flat_map(|edit| [2, 3].map(|kind| [&[kind], edit].concat()));
    requests.chain(answers).chain(edits).collect()
}
