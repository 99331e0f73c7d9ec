//! The one table of everything that can go wrong for a caller: a stable code for programs, and for people the next
//! thing to do.

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $next:expr;)*) => {
        /// The stable name of a refusal. Programs compare codes; texts may change.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $variant,)*
        }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code as it is written in answers and events.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// What a person can do about it, where there is something.
            pub const fn next(self) -> Option<&'static str> {
                match self { $(Self::$variant => $next,)* }
            }
        }
    };
}

codes! {
    /// The name or address is not of the form that it needs.
    InvalidInput = "invalid_input", None;
    /// The body is not JSON.
    InvalidJson = "invalid_json", Some("Send one JSON object in UTF-8.");
    /// The body is of a type that is not read here.
    UnsupportedMediaType = "unsupported_media_type", Some("Send JSON, with Content-Type: application/json.");
    /// The body is larger than is read here.
    BodyTooLarge = "body_too_large", Some("Send less at once.");
    /// The body did not come in time.
    RequestTimeout = "request_timeout", Some("Try again.");
    /// There is nothing at this path.
    UnknownPath = "unknown_path", Some("GET /docs shows what there is.");
    /// The path does not know this method.
    WrongMethod = "wrong_method", Some("Use a method that the Allow header names.");
    /// The request was meant for another host, or does not say for which.
    WrongHost = "wrong_host", Some("Use http://localhost and the port, or start the program with --allow-host and the name.");
    /// A web page of another origin sent the request.
    ForeignOrigin = "foreign_origin", Some("If the page is yours, start the program with --allow-origin and the page's origin.");
    /// The API asks for a token, and there is none.
    TokenRequired = "token_required", Some("Make a token with `chatp2p-peer token create` and send it as Authorization: Bearer. The page is opened by `chatp2p-peer link`.");
    /// What was presented is no token, or none any more.
    TokenInvalid = "token_invalid", Some("See `chatp2p-peer token list`, and make another with `chatp2p-peer token create`.");
    /// The token is for less than this.
    ScopeTooSmall = "scope_too_small", Some("Make a token of the scope that this needs: `chatp2p-peer token create --scope`.");
    /// The link of the page was used, or is too old.
    LinkInvalid = "link_invalid", Some("Make another link with `chatp2p-peer link`.");
    /// Too many wrong tokens or codes came from one place.
    TooManyFailures = "too_many_failures", Some("Wait as long as Retry-After says, and try the right one.");
    /// This path speaks WebSocket only.
    UpgradeRequired = "upgrade_required", Some("Open a WebSocket here (ws://…).");
    /// A defect of this program.
    Internal = "internal", Some("Look into the log of the program that answered, and report what it says.");
    /// The name belongs to somebody else.
    NameTaken = "name_taken", Some("Choose another name, or wait until its present holder leaves.");
    /// The name looks too much like another one.
    NameConfusable = "name_confusable", Some("Choose a name that nobody could take for an existing one.");
    /// A key owns the name, and the request does not prove it.
    ProofRequired = "proof_required", Some("Register with the signed record of the name's own key.");
    /// The tracker lists those alone who sign.
    SignatureRequired = "signature_required", Some("Use a peer that signs its registration, such as chatp2p-peer, or a tracker without --require-signed.");
    /// More requests came from one address than are answered.
    TooManyRequests = "too_many_requests", Some("Wait for as long as the Retry-After header says, then try again.");
    /// The proof is wrong, or was used before.
    ProofInvalid = "proof_invalid", Some("Register again.");
    /// The record is older than the one that is known.
    RecordStale = "record_stale", Some("Sign a record with a higher sequence number and register again.");
    /// Nobody of that name is known.
    UnknownPeer = "unknown_peer", Some("Check the spelling, and that the other peer is running and uses the same tracker.");
    /// The claim names another tracker, or this one before it lost its data.
    WrongTracker = "wrong_tracker", Some("Ask for the tracker's id (GET /health), sign anew and register again.");
    /// The tracker cannot be reached.
    TrackerUnreachable = "tracker_unreachable", Some("Check that the tracker runs at this address, then try again.");
    /// The tracker would be used without TLS beyond the local network.
    InsecureTracker = "insecure_tracker", Some("Use an address that starts with https://, or start the program with --insecure-http.");
    /// The tracker answered something that no tracker answers.
    TrackerProtocol = "tracker_protocol", Some("Check that the address is that of a chatp2p tracker.");
    /// The tracker is at its bound.
    TrackerFull = "tracker_full", Some("Try again later, or use another tracker.");
    /// The node does not run.
    NotRunning = "not_running", Some("Start it with POST /start.");
    /// The node runs already.
    AlreadyRunning = "already_running", Some("GET /status tells what runs; POST /stop stops it.");
    /// Another process uses this profile.
    ProfileInUse = "profile_in_use", Some("Stop the other process that uses this profile, or choose another data directory.");
    /// Others may read or change the profile's files.
    ProfileUnsafe = "profile_unsafe", Some("Make the profile's folder accessible to its owner alone (chmod 700).");
    /// The profile is under a passphrase, and there is none.
    PassphraseRequired = "passphrase_required", Some("Send the profile's passphrase as `passphrase`, or start the program with --passphrase-file.");
    /// The passphrase is not the profile's.
    PassphraseWrong = "passphrase_wrong", Some("Try again. Without its passphrase nobody can open a profile, and there is no other way in.");
    /// The port is taken.
    PortInUse = "port_in_use", Some("Choose another port.");
    /// The address cannot be listened at.
    CannotListen = "cannot_listen", Some("Check the address: it must belong to this machine.");
    /// No transport dials such an endpoint.
    UnsupportedEndpoint = "unsupported_endpoint", Some("Have the other peer advertise an address that starts with ws:// or wss://.");
    /// One cannot talk to oneself.
    Oneself = "oneself", Some("Choose another peer.");
    /// The peer did not answer at any of its addresses.
    Unreachable = "unreachable", Some("Check that the other peer runs and that a firewall does not block its port. `chatp2p-peer doctor NAME` (GET /diagnostics/{name}) shows what was tried.");
    /// The machine is there, and nobody listens at the port.
    PortClosed = "port_closed", Some("Check that the other peer runs. If it does, compare the port: GET /diagnostics there shows where it listens.");
    /// Nobody answered in time.
    TimedOut = "timed_out", Some("Check that the other machine is on and its peer runs, and that no firewall or router on the way drops what is sent to its port.");
    /// There is no way from here to the address.
    AddressUnreachable = "address_unreachable", Some("Check this machine's network. If it is well, the other peer advertises an address of another network: have it started with --advertise and one that is reached from here.");
    /// The host name leads nowhere.
    HostUnknown = "host_unknown", Some("Check the host name that the other peer advertises (--advertise), and that this machine can look names up.");
    /// Something else than a peer answers there.
    NotChatp2p = "not_chatp2p", Some("Another program listens at that port. Check that the other peer runs, and compare the port: GET /diagnostics there shows where it listens.");
    /// Another peer answers at the address than the one that was meant.
    WrongKeyAtAddress = "wrong_key_at_address", Some("Another peer answers at this address. Check that the one you mean runs and is registered at the tracker, so that its present address is known.");
    /// The two ends do not speak the same protocol, or not the same version of it.
    HandshakeFailed = "handshake_failed", Some("Bring both peers to the same version of the program, and try again.");
    /// The address is nearer than whoever named it, and is not dialled for that.
    AddressWithheld = "address_withheld", Some("The tracker is farther away than this address, so it may not name it. Use a tracker in the same network as the peer, or have the peer started with --advertise and an address that is reached from everywhere.");
    /// No peer can be at the address.
    AddressUnusable = "address_unusable", Some("No peer can be at such an address. Have the other peer started with --advertise and its own.");
    /// The address was dialled too often just now.
    DialledTooOften = "dialled_too_often", Some("Wait a minute, then try again.");
    /// The peer's record names no address.
    NoAddress = "no_address", Some("The other peer says nowhere where it can be dialled: have it connect to this one, or have it started with --p2p.");
    /// The name is that of a client without a key.
    PeerWithoutKey = "peer_without_key", Some("Who goes by that name uses a program without keys. They need one that has, such as chatp2p-peer.");
    /// The link was lost before it was up.
    LinkLost = "link_lost", Some("Try again. If it stays so, look into the log of the other peer.");
    /// The other end has another key for this node's name.
    KeyChangedThere = "key_changed_there", Some("The other end knows another key by your name. Have them compare your safety number and take your present key: PUT /contacts/{name}/key there.");
    /// The other end has no room.
    FullThere = "full_there", Some("Ask the other end to make room: to answer the requests that wait there, or to remove contacts.");
    /// The other end could not ask its tracker who this node is.
    TrackerTroubleThere = "tracker_trouble_there", Some("The other end's tracker does not answer. Have them check it (GET /diagnostics there), then try again.");
    /// This machine's clock and the tracker's differ.
    ClockOff = "clock_off", Some("Set the clock of this machine, or have the tracker's set: the times beside messages are wrong until they agree.");
    /// The other end proved another key than the one that is known for this name.
    KeyChanged = "key_changed", Some("Ask your friend whether they reinstalled. If so, PUT the new key to /contacts/{name}/key; if not, somebody pretends to be them.");
    /// The trackers name different keys for a name that is not known here.
    NameDisputed = "name_disputed", Some("Your trackers do not agree on whose name it is. Have your friend send you their contact link, and add them by it (POST /contacts).");
    /// The other end could not be shown to own the name it goes by.
    NameUnproved = "name_unproved", Some("Both peers must be registered at the same tracker, each under its own name: compare the trackers in GET /diagnostics of both.");
    /// The other end has no keys for encryption that this one could use.
    KeysUnusable = "keys_unusable", Some("Bring both peers to the same version of the program.");
    /// The other end refused the link.
    Refused = "refused", Some("The other end does not let this node in; it says no more than that. Ask them in another way whether they have blocked you, or have your request waiting.");
    /// This node was never connected to that peer.
    NotConnected = "not_connected", Some("POST /connect first.");
    /// The text is too long.
    TextTooLarge = "text_too_large", Some("Send at most 1 MiB of text at once.");
    /// Too much waits for a contact who is away.
    OutboxFull = "outbox_full", Some("Wait until the contact is back and has received what is queued.");
    /// The node knows as many peers as it can.
    ContactsFull = "contacts_full", Some("Remove contacts that you do not need any more: GET /contacts shows all of them.");
    /// Another contact has that name here.
    ContactNameTaken = "contact_name_taken", Some("Choose another name for this contact: here, each has a name of their own.");
    /// The key is that of a contact.
    ContactExists = "contact_exists", Some("GET /contacts tells under which name they are known; PATCH renames them.");
    /// The contact is blocked.
    ContactBlocked = "contact_blocked", Some("Unblock the contact (PATCH /contacts/{name}), or add them again from their link.");
    /// What the other end shows is not the number of this contact's key.
    SafetyNumberDiffers = "safety_number_differs", Some("Compare again. If the numbers still differ, somebody sits between you: trust nothing that is said here.");
    /// No request of this key waits.
    UnknownRequest = "unknown_request", Some("GET /requests shows who waits.");
    /// There is no room for further requests.
    RequestsFull = "requests_full", Some("Accept or refuse some of those that wait: GET /requests.");
    /// The text is no contact link.
    InvalidLink = "invalid_link", Some("Have the link sent again, and copy all of it.");
    /// The text is no address of a mailbox.
    InvalidMailbox = "invalid_mailbox", Some("Have the address of the mailbox sent again, and copy all of it.");
    /// The mailbox, or the letterbox in it, has no room.
    MailboxFull = "mailbox_full", Some("Wait until the other end has collected its mail, or have them use another mailbox.");
    /// The mailbox keeps no such letterbox.
    LetterboxUnknown = "letterbox_unknown", Some("The other end has given this letterbox up. It names another once it is back.");
    /// The mailbox cannot be reached.
    MailboxUnreachable = "mailbox_unreachable", Some("Check that the mailbox runs at this address and that no firewall blocks its port, then try again.");
    /// The mailbox answered something that no mailbox answers.
    MailboxProtocol = "mailbox_protocol", Some("Bring the mailbox and this peer to the same version of the program.");
    /// No message has this id.
    UnknownMessage = "unknown_message", None;
    /// The disk or database refused.
    StorageFailed = "storage_failed", Some("Check the disk's free space and the log.");
    /// Too many requests at once.
    Busy = "busy", Some("Try again in a moment.");
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_refusals_share_a_code() {
        let texts: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
    }
}
