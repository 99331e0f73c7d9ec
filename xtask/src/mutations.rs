//! The ways in which the protocol is broken on purpose. Each text stands exactly once in its file; when the code moves on,
//! `cargo xtask mutate` says which mutation has to follow it.

/// One way to break the protocol.
pub(crate) struct Mutation {
    pub(crate) name: &'static str,
    /// Which promise no longer holds.
    pub(crate) breaks: &'static str,
    pub(crate) file: &'static str,
    pub(crate) text: &'static str,
    pub(crate) replacement: &'static str,
}

const CBOR: &str = "chatp2p-core/src/cbor.rs";
const COLLECTED: &str = "chatp2p-core/src/protocol/state/collected.rs";
const COMMANDS: &str = "chatp2p-core/src/protocol/state/commands.rs";
const CRYPTO: &str = "chatp2p-core/src/crypto/keyring/peer.rs";
const DIALS: &str = "chatp2p-core/src/protocol/state/dials.rs";
const DECISION: &str = "chatp2p-core/src/protocol/decision.rs";
const FLOW: &str = "chatp2p-core/src/protocol/state/flow.rs";
const HEADS: &str = "chatp2p-core/src/storage/heads.rs";
const HEALING: &str = "chatp2p-core/src/protocol/state/healing.rs";
const LETTERS: &str = "chatp2p-core/src/protocol/state/letters.rs";
const LINKS: &str = "chatp2p-core/src/protocol/state/links.rs";
const LOG: &str = "chatp2p-core/src/protocol/log.rs";
const MACHINES: &str = "chatp2p-core/src/protocol/sim/stage/machines.rs";
const MAIL: &str = "chatp2p-core/src/protocol/state/mail.rs";
const MESSAGE: &str = "chatp2p-core/src/message.rs";
const NAMES: &str = "chatp2p-core/src/protocol/state/names.rs";
const SEEKING: &str = "chatp2p-core/src/protocol/state/seeking.rs";
const STATE: &str = "chatp2p-core/src/protocol/state.rs";

pub(crate) const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "drop an ack",
        breaks: "what was committed is never acknowledged",
        file: FLOW,
        text: "                out.ack(link, position);\n            }",
        replacement: "                let _ = link;\n            }",
    },
    Mutation {
        name: "acknowledge only the first of a turn",
        breaks: "one acknowledgement covers everything before it",
        file: DECISION,
        text: "self.acks.insert(link, position);",
        replacement: "self.acks.entry(link).or_insert(position);",
    },
    Mutation {
        name: "acknowledge the wrong position",
        breaks: "acknowledged is what is committed",
        file: FLOW,
        text: "                out.ack(link, position);\n            }",
        replacement: "                out.ack(link, Position { n: position.n + 1, ..position });\n            }",
    },
    Mutation {
        name: "believe any acknowledgement",
        breaks: "an acknowledgement is of one entry, by its hash",
        file: LOG,
        text: ".filter(|entry| entry.hash == position.hash).map(|_| at)",
        replacement: ".map(|_| at)",
    },
    Mutation {
        name: "skip the duplicate check",
        breaks: "an entry is taken once",
        file: LOG,
        text: "None | Some(0) => Verdict::Repeat(*known),",
        replacement: "None => Verdict::Repeat(*known),\n                Some(0) => Verdict::Next,",
    },
    Mutation {
        name: "accept beyond a gap",
        breaks: "nothing is passed over",
        file: LOG,
        text: "Some(1) if entry.before == Some(known.hash) => Verdict::Next,",
        replacement: "Some(2) => Verdict::Next,\n                Some(1) if entry.before == Some(known.hash) => Verdict::Next,",
    },
    Mutation {
        name: "accept what follows another entry",
        breaks: "a place is covered by the hash of all before it",
        file: LOG,
        text: "Some(1) if entry.before == Some(known.hash) => Verdict::Next,",
        replacement: "Some(1) => Verdict::Next,",
    },
    Mutation {
        name: "begin an epoch anywhere",
        breaks: "nothing between two epochs is passed over",
        file: LOG,
        text: "entry.n == 1 && entry.follows.is_none_or(holds)",
        replacement: "entry.n == 1 && (true || entry.follows.is_none_or(holds))",
    },
    Mutation {
        name: "send before the commit",
        breaks: "decide, commit, send, tell",
        file: MACHINES,
        text: "        self.players[node].state = Some(state);\n        let blow = self.blow(&changes);\n",
        replacement: "        self.players[node].state = Some(state);\n        self.carry_out(node, life, std::mem::take(&mut decision), &Committed::default());\n        let blow = self.blow(&changes);\n",
    },
    Mutation {
        name: "place without writing it down",
        breaks: "an entry that is sent again keeps its place",
        file: FLOW,
        text: "            out.change(Change::Place { peer, id, place, ciphertext: Some(ciphertext) });\n",
        replacement: "            let _ = (id, place, ciphertext);\n",
    },
    Mutation {
        name: "reuse the epoch of an earlier life",
        breaks: "no place ever means two things",
        file: LOG,
        text: "talk.sealed = !logs.mine.is_empty();",
        replacement: "talk.sealed = false;",
    },
    Mutation {
        name: "begin an epoch too early",
        breaks: "a new epoch begins only when the one before is acknowledged",
        file: LOG,
        text: "!self.sealed || self.unacknowledged.is_empty()",
        replacement: "true",
    },
    Mutation {
        name: "never resume from history",
        breaks: "a receiver that was put back gets back what it lost",
        file: LOG,
        text: "have.iter().rev().find_map(|position| self.meet(*position))",
        replacement: "let known = have.iter().rev().find_map(|position| self.meet(*position));\n        let last = self.epochs.last().filter(|last| last.acknowledged > 0);\n        let last = last.and_then(|last| Some(Position { epoch: last.epoch, n: last.acknowledged, hash: last.acknowledged_hash? }));\n        known.filter(|known| last.is_none_or(|last| known.epoch == last.epoch && known.n > last.n)).or(last)",
    },
    Mutation {
        name: "resume from what was sent",
        breaks: "what a link lost is sent again",
        file: FLOW,
        text: "            state.cursor = after;\n",
        replacement: "            state.cursor = state.cursor.or(after);\n",
    },
    Mutation {
        name: "forget to ask across a gap",
        breaks: "what a link lost is asked for",
        file: FLOW,
        text: "Taken::Gap => self.ask_to_go_on(link, peer, out),",
        replacement: "Taken::Gap => {\n                let _ = Self::ask_to_go_on;\n            }",
    },
    Mutation {
        name: "forget to redial",
        breaks: "a broken link comes back by itself",
        file: LINKS,
        text: "Phase::Up => self.redial(peer, now),",
        replacement: "Phase::Up => {\n                    let _ = Self::redial;\n                }",
    },
    Mutation {
        name: "do not wait for the greeting",
        breaks: "nothing is sent before the other end has said where it stands",
        file: LINKS,
        text: "        if greeted {\n            self.up(link, now, out);",
        replacement: "        let _ = greeted;\n        {\n            self.up(link, now, out);",
    },
    Mutation {
        name: "nobody decides about two links",
        breaks: "of two links between two nodes one stays",
        file: LINKS,
        text: "if self.me.peer_id < peer {",
        replacement: "if self.me.peer_id == peer {",
    },
    Mutation {
        name: "doubt and dial nobody",
        breaks: "a link that may be dead is replaced",
        file: HEALING,
        text: "Dial::Idle if wanted && presence.active.is_some() => presence.dial = Dial::Waiting(soon),",
        replacement: "Dial::Idle if wanted && presence.active.is_some() && presence.links.is_empty() => {}",
    },
    Mutation {
        name: "forget what is doubted",
        breaks: "a link that may be dead serves on until there is another",
        file: HEALING,
        text: "            presence.failures = 0;\n",
        replacement: "            presence.failures = 0;\n            presence.active = None;\n            presence.links.clear();\n",
    },
    Mutation {
        name: "tell repeated entries again",
        breaks: "a message is told once",
        file: DECISION,
        text: "let mut told = receipt.repeated.clone();",
        replacement: "let mut told = receipt.repeated.clone();\n        told.clear();",
    },
    Mutation {
        name: "answer for a message and tell nobody else",
        breaks: "whoever listens hears of all that this node writes",
        file: COMMANDS,
        text: "        self.tell_written(to, &entry, delivery, out);\n",
        replacement: "        let _ = to;\n",
    },
    Mutation {
        name: "no tombstone",
        breaks: "numbers never block, even where an entry was erased",
        file: FLOW,
        text: "        for logged in entries {",
        replacement: "        for logged in entries.into_iter().filter(|logged| logged.entry.is_some()) {",
    },
    Mutation {
        name: "leave the text out of the hash",
        breaks: "the hash covers what is said",
        file: MESSAGE,
        text: "hasher.update(text.as_bytes());",
        replacement: "let _ = text;",
    },
    Mutation {
        name: "remember every epoch that somebody begins",
        breaks: "what a state decides is what its store takes, whatever a peer makes up",
        file: HEADS,
        text: "                self.theirs.push(position);\n                self.forget_old_epochs();\n",
        replacement: "                self.theirs.push(position);\n",
    },
    Mutation {
        name: "let trailing bytes pass",
        breaks: "a frame is one item and nothing else",
        file: CBOR,
        text: "if decoder.position() == bytes.len() { Ok(value) }",
        replacement: "if decoder.position() <= bytes.len() { Ok(value) }",
    },
    Mutation {
        name: "let any depth pass",
        breaks: "a frame is nested no deeper than it needs to be",
        file: CBOR,
        text: "if open.len() == most {",
        replacement: "if open.len() == usize::MAX {",
    },
    Mutation {
        name: "let anybody in under any record",
        breaks: "a peer is its key",
        file: LINKS,
        text: "if record.record().peer_id != peer {",
        replacement: "if false {",
    },
    Mutation {
        name: "let another key in under a known name",
        breaks: "a pinned key stays pinned",
        file: NAMES,
        text: "self.at_tracker.get(name).filter(|holders| !holders.contains(&key))",
        replacement: "self.at_tracker.get(name).filter(|holders| holders.is_empty() && !holders.contains(&key))",
    },
    Mutation {
        name: "believe the tracker about any key",
        breaks: "a stranger owns the name it goes by",
        file: DIALS,
        text: "Found::Record(record) if record.record().peer_id == peer => match self.rival(name, peer, out) {",
        replacement: "Found::Record(record) if true || record.record().peer_id == peer => match self.rival(name, peer, out) {",
    },
    Mutation {
        name: "encrypt in a session of an earlier life",
        breaks: "no key is used twice, whatever is put back",
        file: CRYPTO,
        text: "held.is_of_this_life && !given_up.contains(&held.id)",
        replacement: "!given_up.contains(&held.id)",
    },
    Mutation {
        name: "forget to write the keys down",
        breaks: "what was encrypted can be read after a crash",
        file: STATE,
        text: "        changes.extend(keys.into_iter().map(Change::Keys));\n",
        replacement: "        drop(keys);\n",
    },
    Mutation {
        name: "encrypt anew whenever something is sent again",
        breaks: "a retry is the same bytes",
        file: LETTERS,
        text: "sent.filter(|sent| !self.keyring.is_given_up(peer, sent.session))",
        replacement: "sent.filter(|_| false)",
    },
    Mutation {
        name: "send what was encrypted anew before it is durable",
        breaks: "a retry is the same bytes",
        file: LETTERS,
        text: "        if !self.talk(peer).has_acknowledged(epoch, n) {\n",
        replacement: "        if false {\n            let _ = (epoch, n);\n",
    },
    Mutation {
        name: "never give a session up",
        breaks: "what cannot be read is encrypted anew",
        file: LETTERS,
        text: "            self.keyring.give_up(peer, session);\n",
        replacement: "            let _ = session;\n",
    },
    Mutation {
        name: "never say that something cannot be read",
        breaks: "what cannot be read is encrypted anew",
        file: LETTERS,
        text: "        out.send(link, Frame::Nack(self.keyring.nack(peer, entry.epoch, entry.n, entry.ciphertext.hash())));\n",
        replacement: "        let _ = entry;\n",
    },
    Mutation {
        name: "believe anybody's word that something cannot be read",
        breaks: "an entry is encrypted anew for its reader alone",
        file: LETTERS,
        text: "if !nack.is_from(peer, me) {",
        replacement: "if false && !nack.is_from(peer, me) {",
    },
    Mutation {
        name: "take a letter for what its envelope says",
        breaks: "what stands outside stands inside",
        file: LETTERS,
        text: "(letter == outside.letter(from, to, letter.content.clone())).then_some(letter.content)",
        replacement: "(letter.content == outside.letter(from, to, letter.content.clone()).content).then_some(letter.content)",
    },
    Mutation {
        name: "take any offer",
        breaks: "a one-time key is its owner's",
        file: LETTERS,
        text: "            && offer.is_from(peer, &keys.pre_keys, me)\n",
        replacement: "            && (true || offer.is_from(peer, &keys.pre_keys, me))\n",
    },
    Mutation {
        name: "do not say again what was read",
        breaks: "what was read is told, though a link was lost meanwhile",
        file: LINKS,
        text: "        self.tell_read(peer, out);\n",
        replacement: "",
    },
    Mutation {
        name: "believe that all was read",
        breaks: "nothing is told as read that was not",
        file: LOG,
        text: "        let n = place.n.min(log.acknowledged);\n",
        replacement: "        let n = log.acknowledged;\n",
    },
    Mutation {
        name: "take back what was read",
        breaks: "a tick only climbs",
        file: LOG,
        text: "        if n == 0 || known >= Some((index, n)) {\n",
        replacement: "        if n == 0 || known == Some((index, n)) {\n",
    },
    Mutation {
        name: "take what was mailed for kept",
        breaks: "a mailbox has signed for what is told to be there",
        file: MAIL,
        text: "let kept = entries.min(post.handed.len());",
        replacement: "let kept = if entries > 0 { post.handed.len() } else { 0 };",
    },
    Mutation {
        name: "mail nothing again",
        breaks: "what a mailbox has lost is mailed again",
        file: MAIL,
        text: "            state.cursor = cursor;\n            state.in_flight.clear();\n        }\n        self.go_back(peer, cursor);",
        replacement: "            let _ = cursor;\n            state.in_flight.clear();\n        }",
    },
    Mutation {
        name: "go on behind what was to be mailed again",
        breaks: "what is mailed again is not forgotten when a visit fails",
        file: MAIL,
        text: "            post.cursor = Some(cursor);",
        replacement: "            let _ = cursor;",
    },
    Mutation {
        name: "say nothing of what is missing in mail",
        breaks: "a reader that was put back gets by mail what it lost",
        file: COLLECTED,
        text: "            Some(Trouble::Gap) => self.ask_by_mail(link, peer, now, out),",
        replacement: "            Some(Trouble::Gap) => {}",
    },
    Mutation {
        name: "answer repeated mail for ever",
        breaks: "no mailbox can have letterboxes filled with answers",
        file: COLLECTED,
        text: "times < MAX_REPEATS",
        replacement: "times < MAX_REPEATS || times > 0",
    },
    Mutation {
        name: "take any record that a friend has",
        breaks: "only what was asked on this link is taken",
        file: SEEKING,
        text: "state.seeking.asked.contains(&record.peer_id) && self.is_newer(record)",
        replacement: "let _ = state;\n        self.is_newer(record)",
    },
    Mutation {
        name: "take an old record from a friend",
        breaks: "only what is newer is taken",
        file: SEEKING,
        text: "state.seeking.asked.contains(&record.peer_id) && self.is_newer(record)",
        replacement: "let _ = Self::is_newer;\n        state.seeking.asked.contains(&record.peer_id)",
    },
    Mutation {
        name: "tell of contacts for whom nobody asked",
        breaks: "nobody learns of a contact whom they do not share",
        file: SEEKING,
        text: "let is_asked = peer != link.peer && question.of.contains(&mark) && self.is_friend(link);",
        replacement: "let is_asked = peer != link.peer && self.is_friend(link);",
    },
    Mutation {
        name: "answer whoever was let in",
        breaks: "strangers learn of nobody",
        file: SEEKING,
        text: "contact.blocked && (has_written || contact.verified)",
        replacement: "contact.blocked && (true || has_written || contact.verified)",
    },
];
