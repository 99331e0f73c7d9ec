//! The HTTP API: one file a resource. Handlers read, ask the node, and write; what may be decided is decided in the core.

mod access;
mod contacts;
mod conversations;
mod diagnostics;
mod identity;
mod messages;
mod node;
mod passphrase;
mod peers;
mod reading;
mod refusals;
mod requests;
mod secured;

use poem_openapi::{OpenApiService, Tags};

pub(crate) use diagnostics::{NodeReport, Outbox, PeerReport, State};
pub(crate) use refusals::chain;
use secured::Secured;

/// What the document says about the things that OpenAPI has no words for.
const DESCRIPTION: &str = "\
A chatp2p peer on this machine. Links to other peers are direct; the tracker only helps to find them.

Every refusal is `application/problem+json` with a stable `code` and, where there is something to do, `next`. Only what is no HTTP, \
and a head or an address that is too long, is answered by a bare 400, 431 or 414 from below.

**Events:** open a WebSocket at `/ws`. Each event is a JSON text with a `type`: `message` (`data`: `id`, `from`, `content`, \
`timestamp`), `written` (this node wrote to somebody, whoever asked it to; `data`: `id`, `to`, `content`, `timestamp`, `delivery`), \
`sent` and `delivered` (`peer`, `through`: the id of a message; everything that was written to that peer up to it was handed to \
the live link, or is with the peer), `mailbox` (the same, of what a mailbox has signed for), `read` (the same, of what the peer says was read), `peer_connected` and `peer_disconnected` (`peer`), `key_changed` (`peer`, `presented`, `code`, \
`next`), `key_accepted` (`peer`, `peer_id`) and `key_forgotten` (`peer`; what was not delivered to the old key has failed), \
`contact_added` and `contact_removed` (`peer`), `contact_renamed` (`peer`: the name so far, `name`), `contact_verified` (`peer`, \
`verified`), `contact_blocked` (`peer`, `blocked`), `request` (`peer_id`, `name`: a stranger asks, or has left a message), \
`request_closed` (`peer_id`), `requests_full` (`code`, `next`), `tracker_trouble` (`code`, `next`), `started` \
(`username`) and `stopped`, `gap` (`missed`: how many events are no longer kept, or `null` where nobody knows; `GET` what is shown again). What is told \
is durable, and messages are told in the order of `GET /messages`. Ignore types that you do not know. Any text that you send is \
answered with `{\"type\":\"pong\"}`. The socket outlives `POST /stop`.

**Coming back:** `GET /events` tells the same as server-sent events, for programs that need no WebSocket. The `id` of each is a cursor: \
come back with it, as `Last-Event-ID` (browsers do it by themselves) or `?cursor=`, and nothing is missed that is still kept: the last \
16,384 events or 4 MiB. At `/ws` the same holds with `?cursor=`, empty at first: each event then has a `cursor` beside its `type`.

**Who may call:** programs on this machine, and this peer's own web page. A browser's request must name this machine as its host \
(`localhost`, `127.0.0.1`, `[::1]` or a name of `--allow-host`: else 421) and come from the peer's own page or an origin of \
`--allow-origin` (else 403). With `--require-token`, and beyond this machine, each caller needs a token (else 401) of the right scope \
(else 403): `chatp2p-peer token create` makes one, which is sent as `Authorization: Bearer …`, to `/ws` and `/events` too. A token that is presented \
where none is asked for counts as well. Open to all are this document, `/docs`, `/health`, `POST /sessions` and the page's own files.

**Order of refusals:** 421/403, 401/429/403, 404/405, 408/413/415/422, 400 `not_running`, the rest.";

#[derive(Tags)]
enum Tag {
    /// The node: starting, stopping, how it is.
    Node,
    /// Other peers: who is there, who is connected.
    Peers,
    /// What is said.
    Messages,
    /// Who is trusted.
    Contacts,
    /// Who may ask.
    Access,
}

type Apis = (
    node::NodeApi,
    diagnostics::DiagnosticsApi,
    passphrase::PassphraseApi,
    peers::PeersApi,
    messages::MessagesApi,
    conversations::ConversationsApi,
    reading::ReadingApi,
    contacts::ContactsApi,
    requests::RequestsApi,
    identity::IdentityApi,
    access::AccessApi,
);

type Service = OpenApiService<Secured<Apis>, ()>;

/// The API with its specification. The server is relative: wherever the document is, the API is too.
pub(crate) fn service() -> Service {
    let apis = (
        node::NodeApi,
        diagnostics::DiagnosticsApi,
        passphrase::PassphraseApi,
        peers::PeersApi,
        messages::MessagesApi,
        conversations::ConversationsApi,
        reading::ReadingApi,
        contacts::ContactsApi,
        requests::RequestsApi,
        identity::IdentityApi,
        access::AccessApi,
    );
    OpenApiService::new(Secured(apis), "chatp2p peer", env!("CARGO_PKG_VERSION")).description(DESCRIPTION).server("/")
}
