//! The rules of the conversation, without clock, network or disk.
