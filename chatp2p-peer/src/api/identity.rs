//! Who the node is, in the forms in which one tells others.

use std::sync::Arc;

use chatp2p_core::identity::{ContactLink, Fingerprint};
use chatp2p_service::Refused;
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};

use super::Tag;
use super::contacts::node;
use super::refusals::Reading;
use crate::desk::Desk;

pub(crate) struct IdentityApi;

/// Who the node is.
#[derive(Debug, Object)]
#[oai(example)]
struct OwnIdentity {
    /// The name it goes by.
    username: String,
    /// Its key: 52 characters of base32.
    peer_id: String,
    /// What to give to somebody who is to add this peer as a contact. It names the tracker, unless that is on this machine.
    link: String,
    /// Thirty digits of the key: one half of each of its safety numbers.
    fingerprint: String,
    /// Whether it takes a passphrase to start it (`PUT /passphrase`).
    has_passphrase: bool,
}

impl Example for OwnIdentity {
    fn example() -> Self {
        Self {
            username: "bob".to_owned(),
            peer_id: "qe4xodvipulv6vvdkrtmgtd6ztfy3curwtxdpis56yhvxd6jwoka".to_owned(),
            link: "chatp2p:agats5yovb6rox2wunkgnq2mp3gmxdmksg2o4n5clx3a6w4pzgzzi3wgtqlagtnf/bob".to_owned(),
            fingerprint: "26722 67727 67434 60282 62279 23697".to_owned(),
            has_passphrase: false,
        }
    }
}

#[OpenApi(tag = "Tag::Contacts")]
impl IdentityApi {
    /// Show who the node is
    ///
    /// In the forms in which one tells others: the link to be added by, and the digits of the key.
    #[oai(path = "/identity", method = "get", operation_id = "identity")]
    async fn identity(&self, Data(desk): Data<&Arc<Desk>>) -> Result<Json<OwnIdentity>, Refused<Reading>> {
        let node = node(desk)?;
        let has_passphrase = super::passphrase::is_set(desk).await?;
        let plain = ContactLink::new(node.peer_id(), node.username().clone());
        let tracker = desk.tracker_urls().into_iter().find(|url| !is_here(url));
        // An address that does not fit a link is left out of it: it is a hint.
        let link = tracker.and_then(|url| plain.clone().at_tracker(url.trim_end_matches('/')).ok()).unwrap_or(plain);
        Ok(Json(OwnIdentity {
            username: node.username().to_string(),
            peer_id: node.peer_id().to_string(),
            link: link.to_string(),
            fingerprint: Fingerprint::of(node.peer_id()).to_string(),
            has_passphrase,
        }))
    }
}

/// Whether the address means another machine to everybody who reads it.
fn is_here(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    ["localhost", "127.", "[::1]"].iter().any(|here| host.starts_with(here))
}
