//! A tracker and two peers, ready to chat.

fn main() {}
