//! Runnable programs live beside this file; `cargo demo` is the first.

/// The README's own code, so that it compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
