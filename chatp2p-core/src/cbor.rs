//! Reading CBOR that comes from outside: exactly one item, no deeper than its reader expects, with nothing behind it.

use minicbor::data::Token;
use minicbor::decode::Tokenizer;
use minicbor::{Decode, Decoder};

/// Why bytes are no such item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misread {
    TooDeep,
    Malformed,
}

/// Reads the one item that these bytes are.
pub(crate) fn whole<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, Misread> {
    let mut decoder = Decoder::new(bytes);
    let value = decoder.decode().map_err(|_| Misread::Malformed)?;
    if decoder.position() == bytes.len() { Ok(value) } else { Err(Misread::Malformed) }
}

/// The same, of an item that is nested no deeper than `most`. That is looked at before anything is allocated for it.
pub(crate) fn whole_within<'b, T: Decode<'b, ()>>(bytes: &'b [u8], most: usize) -> Result<T, Misread> {
    check_depth(bytes, most)?;
    whole(bytes)
}

/// Whether the length of everything in it stands before it.
pub(crate) fn is_definite(bytes: &[u8]) -> bool {
    let indefinite = |token: Token<'_>| {
        matches!(token, Token::BeginArray | Token::BeginMap | Token::BeginBytes | Token::BeginString | Token::Break)
    };
    Tokenizer::new(bytes).all(|token| token.is_ok_and(|token| !indefinite(token)))
}

/// Walks the tokens with a stack of what is still open: no recursion, whatever the input.
fn check_depth(item: &[u8], most: usize) -> Result<(), Misread> {
    let mut open: Vec<Option<u64>> = Vec::with_capacity(most + 1);
    for token in Tokenizer::new(item) {
        let token = token.map_err(|_| Misread::Malformed)?;
        let opens = match token {
            Token::Array(n) => Some(Some(n)),
            Token::Map(n) => Some(Some(n.checked_mul(2).ok_or(Misread::Malformed)?)),
            Token::Tag(_) => Some(Some(1)),
            Token::BeginArray | Token::BeginMap | Token::BeginBytes | Token::BeginString => Some(None),
            Token::Break => {
                if open.pop() != Some(None) {
                    return Err(Misread::Malformed);
                }
                None
            }
            _ => None,
        };
        // A break closes what counted as an item when it was opened.
        if !matches!(token, Token::Break)
            && let Some(Some(left)) = open.last_mut()
        {
            *left = left.checked_sub(1).ok_or(Misread::Malformed)?;
        }
        if let Some(items) = opens {
            if open.len() == most {
                return Err(Misread::TooDeep);
            }
            open.push(items);
        }
        while open.last() == Some(&Some(0)) {
            open.pop();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 6;

    #[test]
    fn one_item_is_read_and_nothing_else() {
        assert_eq!(whole_within::<u8>(&[7], MOST), Ok(7));
        assert_eq!(whole_within::<Vec<u8>>(&[0x82, 1, 2], MOST), Ok(vec![1, 2]));
        for (what, bytes) in
            [("nothing", &[][..]), ("cut off", &[0x82, 1]), ("trailing", &[7, 7]), ("a break", &[0xff])]
        {
            assert_eq!(whole_within::<Vec<u8>>(bytes, MOST), Err(Misread::Malformed), "{what}");
            assert_eq!(whole_within::<u8>(bytes, MOST), Err(Misread::Malformed), "{what}");
        }
    }

    #[test]
    fn nothing_is_walked_deeper_than_its_reader_expects() {
        let nested = |depth: usize| [vec![0x81; depth], vec![0x80]].concat();
        assert_eq!(check_depth(&nested(MOST - 1), MOST), Ok(()));
        assert_eq!(check_depth(&nested(MOST), MOST), Err(Misread::TooDeep));
        for deep in [0x81, 0x9f, 0xc1] {
            assert_eq!(check_depth(&vec![deep; 1 << 20], MOST), Err(Misread::TooDeep), "{deep:#x}");
        }
    }

    #[test]
    fn what_has_no_length_before_it_is_not_definite() {
        assert!(is_definite(&[0x82, 1, 0xa1, 2, 0x41, 3]));
        for (what, bytes) in [
            ("an array", &[0x9f, 1, 2, 0xff][..]),
            ("a map", &[0xbf, 1, 2, 0xff]),
            ("bytes", &[0x5f, 0x41, 1, 0xff]),
            ("a text", &[0x7f, 0x61, b'a', 0xff]),
            ("an array inside", &[0x81, 0x9f, 0xff]),
        ] {
            assert!(!is_definite(bytes), "{what}");
        }
    }
}
