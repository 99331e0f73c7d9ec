//! Reading what comes from outside: exactly one item, of definite lengths, not deep, with nothing behind it.

use minicbor::data::Token;
use minicbor::decode::Tokenizer;
use minicbor::{Decode, Decoder};

/// The deepest nesting: ids stand at depth 3 of a frame, a record's envelope at 2 of a mail; more for fields to come.
const MAX_DEPTH: usize = 6;

/// Reads an item. `None` for anything else than one as this module's first line says. Memory is taken only for what is there.
pub(super) fn decode<'b, T: Decode<'b, ()>>(item: &'b [u8]) -> Option<T> {
    if !is_shallow(item) {
        return None;
    }
    let mut decoder = Decoder::new(item);
    let value = decoder.decode().ok()?;
    (decoder.position() == item.len()).then_some(value)
}

/// Walks the tokens with a stack of how many items are still to come: no recursion, whatever the input.
fn is_shallow(item: &[u8]) -> bool {
    let mut open: Vec<u64> = Vec::with_capacity(MAX_DEPTH + 1);
    for token in Tokenizer::new(item) {
        let opens = match token {
            Ok(Token::Array(n)) => Some(Some(n)),
            Ok(Token::Map(n)) => Some(n.checked_mul(2)),
            Ok(Token::Tag(_)) => Some(Some(1)),
            Ok(Token::BeginArray | Token::BeginMap | Token::BeginBytes | Token::BeginString | Token::Break)
            | Err(_) => {
                return false;
            }
            Ok(_) => None,
        };
        if let Some(left) = open.last_mut() {
            *left = left.saturating_sub(1);
        }
        match opens {
            Some(Some(items)) if open.len() < MAX_DEPTH => open.push(items),
            Some(_) => return false,
            None => {}
        }
        while open.last() == Some(&0) {
            open.pop();
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_shallow_item_of_definite_length_is_read_and_nothing_else() {
        assert_eq!(decode::<u8>(&[7]), Some(7));
        assert_eq!(decode::<Vec<u8>>(&[0x82, 1, 2]), Some(vec![1, 2]));
        for (what, bytes) in [
            ("nothing", &[][..]),
            ("cut off", &[0x82, 1]),
            ("trailing", &[7, 7]),
            ("indefinite", &[0x9f, 1, 2, 0xff]),
            ("a break", &[0xff]),
        ] {
            assert!(decode::<Vec<u8>>(bytes).is_none() && decode::<u8>(bytes).is_none(), "{what}");
        }
        let nested = |depth: usize| [vec![0x81; depth], vec![0x80]].concat();
        assert!(is_shallow(&nested(MAX_DEPTH - 1)));
        assert!(!is_shallow(&nested(MAX_DEPTH)));
        assert!(!is_shallow(&vec![0x81; 1 << 20]));
        assert!(!is_shallow(&vec![0xc1; 1 << 20]));
    }
}
