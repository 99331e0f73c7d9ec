//! Runnable programs live beside this file; `cargo demo` is the first.
