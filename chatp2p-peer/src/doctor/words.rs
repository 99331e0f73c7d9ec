//! What the doctor says: a line a fact, in words that can be read aloud, and at the end what to do.

use serde_json::Value;

use crate::api::{NodeReport, Outbox, PeerReport, State};

/// What there is to do where nothing is wrong.
const NOTHING: &str = "nothing to do";

/// About a peer, and whether it is connected.
pub(super) fn peer(report: &PeerReport) -> (String, bool) {
    let mut lines = vec![match (&report.link, report.trying) {
        (Some(link), _) => {
            let way = if link.dialled { "dialled at" } else { "who called from" };
            let at = link.endpoint.as_deref().map(|at| format!(", {way} {at}")).unwrap_or_default();
            format!("{}: connected since {}{at}", report.peer, link.since)
        }
        (None, true) => format!("{}: not connected; the node goes on trying", report.peer),
        (None, false) => format!("{}: not connected", report.peer),
    }];
    for step in &report.steps {
        lines.push(match step.state {
            State::Ok => format!("{}: ok", step.step),
            State::NotReached => format!("{}: not reached", step.step),
            State::Failed => format!("{}: failed, {}", step.step, why(step.code.as_ref(), step.detail.as_ref())),
        });
    }
    for tried in &report.tried {
        let how = if tried.ok { "ok".to_owned() } else { why(tried.code.as_ref(), tried.detail.as_ref()) };
        lines.push(format!("tried {}: {how}", tried.endpoint));
    }
    lines.extend(waiting(&report.peer, &report.outbox));
    lines.extend(report.mail.iter().map(|mail| match mail.ok {
        true => format!("mail: a mailbox has signed for it, at {}", mail.at),
        false => format!("mail: failed, {}", why(mail.code.as_ref(), mail.detail.as_ref())),
    }));
    if report.failed.is_none() && report.code.is_some() {
        lines.push(why(report.code.as_ref(), report.detail.as_ref()));
    }
    let next = match (&report.next, report.connected) {
        (Some(next), _) => next.as_str(),
        (None, true) => NOTHING,
        (None, false) => "wait a moment, and ask again",
    };
    (finish(lines, next), report.connected)
}

/// About the node itself, and whether all is well.
pub(super) fn node(report: &NodeReport) -> (String, bool) {
    let mut lines = vec![match &report.username {
        Some(name) => format!("node: runs as {name}, version {}", report.version),
        None => format!("node: does not run; the program, version {}, does", report.version),
    }];
    lines.extend(report.listening.iter().map(|at| format!("listens: {at}")));
    lines.extend(report.advertised.iter().map(|at| format!("advertises: {} ({})", at.endpoint, far(&at.reach))));
    lines.extend(report.towards_tracker.iter().map(|ip| format!("address on the way to the tracker: {ip}")));
    if report.running {
        if report.callers.is_empty() {
            lines.push("callers: nobody has called since the start".to_owned());
        }
        let callers = report.callers.iter();
        lines.extend(callers.map(|of| format!("callers: {} from {}, last at {}", of.times, far(&of.reach), of.last)));
        lines.extend(report.inbound.iter().map(|inbound| format!("strangers: {inbound}")));
        lines.push(format!("links: {}", report.links));
    }
    lines.extend(report.outboxes.iter().flat_map(|of| waiting(&of.peer, &of.outbox)));
    let mut next: Vec<&str> = Vec::new();
    for tracker in &report.trackers {
        let url = tracker.url.as_deref().unwrap_or("of this program");
        let took = tracker.answered_in_ms.map(|ms| format!("answered in {ms} ms")).unwrap_or_default();
        lines.push(match &tracker.code {
            None => format!("tracker {url}: ok, {took}"),
            Some(_) => format!("tracker {url}: failed, {}", why(tracker.code.as_ref(), tracker.detail.as_ref())),
        });
        next.extend(tracker.next.as_deref());
    }
    for finding in &report.findings {
        lines.push(format!("finding: {}", why(Some(&finding.code), Some(&finding.detail))));
        next.extend(finding.next.as_deref());
    }
    let well = report.findings.is_empty() && report.trackers.iter().all(|tracker| tracker.code.is_none());
    let next = if next.is_empty() { NOTHING.to_owned() } else { next.join(" ") };
    (finish(lines, &next), well)
}

/// About a refusal of the API.
pub(super) fn refusal(problem: &Value) -> String {
    let text = |field: &str| problem[field].as_str().unwrap_or_default();
    let next = match text("code") {
        "token_required" => {
            "make a token with `umask 077; chatp2p-peer token create > FILE`, and add --token-file FILE".to_owned()
        }
        _ => text("next").to_owned(),
    };
    finish(vec![format!("{}: {}", text("code"), text("detail"))], &next)
}

fn waiting(peer: &str, outbox: &Outbox) -> Option<String> {
    let full = if outbox.full { "; there is no room for more" } else { "" };
    let of = if outbox.messages == 1 { "message waits" } else { "messages wait" };
    (outbox.messages > 0).then(|| format!("outbox: {} {of} for {peer}{full}", outbox.messages))
}

fn why(code: Option<&String>, detail: Option<&String>) -> String {
    let parts: Vec<&str> = code.into_iter().chain(detail).map(String::as_str).collect();
    parts.join(": ")
}

fn far(reach: &str) -> &str {
    match reach {
        "loopback" => "this machine alone",
        "private" => "the local network",
        "public" => "anywhere",
        "name" => "wherever the name leads",
        other => other,
    }
}

/// The lines with what to do as the last. Nothing that others have said moves a terminal.
fn finish(mut lines: Vec<String>, next: &str) -> String {
    lines.push(format!("next: {next}"));
    let clean = |line: &String| line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    lines.iter().map(clean).collect::<Vec<_>>().join("\n")
}
