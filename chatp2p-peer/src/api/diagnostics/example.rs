//! What the document shows: a node that is well, and a friend whose program does not run.

use super::*;

const AT: &str = "2026-11-23T07:00:00.000Z";
const ENDPOINT: &str = "ws://192.168.1.6:5001/p2p";

impl Example for PeerReport {
    fn example() -> Self {
        let step = |step: Step, state, code: Option<Code>| StepShown {
            step: step.as_str().to_owned(),
            state,
            at: (state != State::NotReached).then(|| AT.to_owned()),
            code: code.map(|code| code.to_string()),
            detail: code.map(|_| format!("{ENDPOINT}: Connection refused (os error 111)")),
        };
        let closed = Some(Code::PortClosed);
        Self {
            peer: "bob".to_owned(),
            peer_id: Some("qfyo6d2acjwacjpoxptzj5r2mdhhjtnbqeaerivdkvgwfgsglk3q".to_owned()),
            connected: false,
            link: None,
            trying: true,
            steps: vec![
                step(Step::Found, State::Ok, None),
                step(Step::Resolved, State::Ok, None),
                step(Step::Dialled, State::Failed, closed),
                step(Step::Secured, State::NotReached, None),
                step(Step::Accepted, State::NotReached, None),
            ],
            tried: vec![Tried {
                endpoint: ENDPOINT.to_owned(),
                at: AT.to_owned(),
                step: Step::Dialled.as_str().to_owned(),
                ok: false,
                code: closed.map(|code| code.to_string()),
                detail: Some("Connection refused (os error 111)".to_owned()),
                next: closed.and_then(next),
            }],
            outbox: Outbox { messages: 2, bytes: 512, full: false },
            mail: Some(Mailed { at: AT.to_owned(), ok: true, code: None, detail: None, next: None }),
            failed: Some(Step::Dialled.as_str().to_owned()),
            code: closed.map(|code| code.to_string()),
            detail: Some(format!("{ENDPOINT}: Connection refused (os error 111)")),
            next: closed.and_then(next),
        }
    }
}

impl Example for NodeReport {
    fn example() -> Self {
        Self {
            running: true,
            version: "0.1.0".to_owned(),
            username: Some("alice".to_owned()),
            peer_id: Some("rkr52rlxexcbdcdg6yfg6ui6x6vnlyqqbkqzjxyqiznjqy2cmomq".to_owned()),
            inbound: Some("open".to_owned()),
            listening: Some("0.0.0.0:5001".to_owned()),
            towards_tracker: Some("192.168.1.5".to_owned()),
            advertised: vec![Advertised {
                endpoint: "ws://192.168.1.5:5001/p2p".to_owned(),
                reach: "private".to_owned(),
            }],
            callers: vec![Callers { reach: "private".to_owned(), times: 3, last: AT.to_owned() }],
            links: 1,
            outboxes: Vec::new(),
            trackers: vec![TrackerShown {
                url: Some("http://192.168.1.2:8000/".to_owned()),
                confirmed: Some(AT.to_owned()),
                answered_in_ms: Some(4),
                code: None,
                detail: None,
                next: None,
            }],
            findings: Vec::new(),
        }
    }
}
