//! An input of bytes as a series of choices, for plays and trials whose every step somebody else decides.

/// An input, read as a series of choices. Where it ends, every further choice is 0.
#[derive(Debug, Clone, Copy)]
pub struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    /// The choices of an input.
    pub const fn new(input: &'a [u8]) -> Self {
        Self(input)
    }

    /// Whether nothing is left to choose.
    pub const fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// The next one.
    pub fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    /// One of the numbers below a bound, which is at most 65,536.
    pub fn below(&mut self, bound: usize) -> usize {
        let number = usize::from(u16::from_be_bytes([self.byte(), self.byte()]));
        number.checked_rem(bound).unwrap_or_default()
    }

    /// Up to so many bytes.
    pub fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// Bytes like these with a few things changed: none, if the next choice is 0.
    pub fn edit(&mut self, bytes: &[u8]) -> Vec<u8> {
        // More would make most inputs noise.
        const MAX_EDITS: u8 = 8;
        let mut bytes = bytes.to_vec();
        for _ in 0..self.byte().min(MAX_EDITS) {
            let (kind, at) = (self.byte(), self.below(bytes.len() + 1));
            match kind % 5 {
                0 => {
                    let mask = self.byte();
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= mask;
                    }
                }
                1 => bytes.truncate(at),
                2 => bytes.insert(at, self.byte()),
                3 => drop((at < bytes.len()).then(|| bytes.remove(at))),
                _ => {
                    let length = usize::from(self.byte() % 32);
                    let with = self.take(length);
                    bytes.iter_mut().skip(at).zip(with).for_each(|(byte, new)| *byte = *new);
                }
            }
        }
        bytes
    }
}
