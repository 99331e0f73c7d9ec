//! All that reaches the terminal goes through here: what others wrote must neither move its cursor nor look like
//! anything but what they wrote.

use std::io::Write;

use chatp2p_core::clock::Wall;
use chatp2p_core::identity::Username;
use chatp2p_core::message::Message;
use chatp2p_core::node::Event;

/// One line, to whoever reads. Where nobody does any more, there is nothing to be done about it.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", printable(text)).and_then(|()| out.flush());
}

/// One line of what went wrong.
pub(crate) fn warn(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", printable(text));
}

/// The text with everything escaped that a terminal obeys instead of showing, or that makes a line lie about its order:
/// control characters (C0 with ESC and line ends, DEL, C1), the line and paragraph separators, and those that
/// embed, override, isolate or mark a writing direction.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                shown.extend(c.escape_unicode());
            }
            c if c.is_control() => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}

/// What an event says to a person, if there is something to say.
pub(crate) fn describe(event: &Event) -> Option<String> {
    Some(match event {
        Event::Message(message) => format!("{} {}: {}", time(message.written), message.from, message.content),
        Event::PeerConnected(peer) => format!("* {peer} is here"),
        Event::PeerDisconnected(peer) => format!("* {peer} is gone"),
        Event::KeyChanged { peer, presented } => format!(
            "! somebody with another key ({presented}) says they are {peer}, and was not let in. \
             Ask {peer}: if they reinstalled, /forget {peer}"
        ),
        Event::KeyForgotten(peer) => format!("* the key of {peer} is forgotten, and what was not delivered has failed"),
        Event::TrackerTrouble(code) => format!("* the tracker: {code}; trying again"),
        Event::Gap { missed } => {
            format!("! {missed} events came too fast and are not shown; the last of what was said:")
        }
        _ => return None,
    })
}

/// A message of before; one's own with how far it got.
pub(crate) fn line(message: &Message, me: &Username) -> String {
    let text = format!("{} {}: {}", time(message.written), message.from, message.content);
    if message.from == *me { format!("{text}  [{}]", message.delivery.as_str()) } else { text }
}

/// Hours and minutes, in UTC as all times are here.
fn time(wall: Wall) -> String {
    wall.to_string().chars().skip(11).take(5).chain(['Z']).collect()
}
