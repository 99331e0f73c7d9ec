//! How strictly this module reads: one item of definite lengths alone, so that there is one way to write each.

use minicbor::Decode;

use crate::cbor;

/// The deepest nesting: ids stand at depth 3 of a frame, a record's envelope at 2 of a mail; more for fields to come.
const MAX_DEPTH: usize = 6;

/// Reads an item. `None` for anything else. Memory is taken only for what is there.
pub(super) fn decode<'b, T: Decode<'b, ()>>(item: &'b [u8]) -> Option<T> {
    cbor::whole_within(item, MAX_DEPTH).ok().filter(|_| cbor::is_definite(item))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_of_indefinite_length_or_beyond_the_depth_is_not_read() {
        assert_eq!(decode::<Vec<u8>>(&[0x82, 1, 2]), Some(vec![1, 2]));
        assert_eq!(decode::<Vec<u8>>(&[0x9f, 1, 2, 0xff]), None);
        let nested = [vec![0x81; MAX_DEPTH], vec![0x80]].concat();
        assert_eq!(decode::<minicbor::data::Int>(&nested), None);
        assert_eq!(cbor::whole_within::<u8>(&nested, MAX_DEPTH), Err(cbor::Misread::TooDeep));
    }
}
