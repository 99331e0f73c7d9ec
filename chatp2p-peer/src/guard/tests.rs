//! The whole table: every Host × Origin × Sec-Fetch × route, judged by an oracle that is written down by hand per value
//! and not computed the way the guard does it.

use chatp2p_service::Origin;
use poem::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use super::{Guard, Verdict};

/// Hosts (each a list of `Host` headers) that are ours, and the origins that are their own.
const OUR_HOSTS: &[(&[&str], &[&str])] = &[
    (&["localhost:3000"], &["http://localhost:3000"]),
    (&["LOCALHOST:3000"], &["http://localhost:3000"]),
    (&["localhost"], &["http://localhost"]),
    (&["localhost:80"], &["http://localhost"]),
    (&["127.0.0.1:3000"], &["http://127.0.0.1:3000"]),
    (&["127.0.0.1:49152"], &["http://127.0.0.1:49152"]),
    (&["[::1]:3000"], &["http://[::1]:3000"]),
    (&["[::1]"], &["http://[::1]"]),
    (&["chat.example"], &["http://chat.example", "https://chat.example"]),
    (&["chat.example:443"], &["http://chat.example:443", "https://chat.example"]),
    (&["Chat.Example:8443"], &["http://chat.example:8443", "https://chat.example:8443"]),
    (&["192.168.1.5:3000"], &["http://192.168.1.5:3000", "https://192.168.1.5:3000"]),
];

const OTHER_HOSTS: &[&[&str]] = &[
    &[],
    &[""],
    &[" "],
    &["localhost:3000", "localhost:3000"],
    &["localhost:3000", "evil.example"],
    &["127.evil.com"],
    &["127.0.0.1.evil.com:3000"],
    &["localhost.evil"],
    &["localhost.evil:3000"],
    &["localhost."],
    &["evil.localhost"],
    &["0.0.0.0"],
    &["0.0.0.0:3000"],
    &["127.0.0.2:3000"],
    &["127.1:3000"],
    &["2130706433:3000"],
    &["0x7f000001:3000"],
    &["[::]:3000"],
    &["[::ffff:127.0.0.1]:3000"],
    &["::1"],
    &["[::1"],
    &["localhost:"],
    &["localhost:+3000"],
    &["localhost:65536"],
    &["localhost:3000:3000"],
    &["user@localhost:3000"],
    &["localhost:3000/"],
    &["localhost, evil.example"],
    &["evil.example"],
    &["192.168.1.6:3000"],
    &["chat.example.evil"],
    &["notchat.example"],
    &["\u{fc}\u{fc}"],
];

/// The origins that `--allow-origin` names.
const ALLOWED: &[&str] = &["http://localhost:8080", "https://pages.example"];

const FOREIGN: &[&[&str]] = &[
    &["null"],
    &[""],
    &["http://evil.example"],
    &["http://localhost:3001"],
    &["http://localhost:8081"],
    &["https://localhost:8080"],
    &["http://localhost:8080.evil.example"],
    &["http://localhost:8080/"],
    &["http://localhost:8080@evil.example"],
    &["http://127.evil.com"],
    &["http://pages.example"],
    &["https://pages.example.evil"],
    &["*"],
    &["localhost:8080"],
    &["http://localhost:8080", "http://localhost:8080"],
    &["http://localhost:8080", "http://evil.example"],
    &["http://localhost:8080 http://evil.example"],
];

/// Sets of Sec-Fetch headers without an Origin: whether reads, pages and the two sorts of writes pass.
struct Fetch {
    headers: &'static [(&'static str, &'static str)],
    read: bool,
    page: bool,
    with_body: bool,
    without_body: bool,
}

const fn fetch(headers: &'static [(&'static str, &'static str)], passes: [bool; 4]) -> Fetch {
    let [read, page, with_body, without_body] = passes;
    Fetch { headers, read, page, with_body, without_body }
}

const SITE: &str = "sec-fetch-site";
const MODE: &str = "sec-fetch-mode";
const DEST: &str = "sec-fetch-dest";

const FETCHES: &[Fetch] = &[
    fetch(&[], [true, true, true, true]),
    // Node's fetch says so much and is no browser.
    fetch(&[(MODE, "cors")], [true, true, true, true]),
    fetch(&[(SITE, "none"), (MODE, "navigate"), (DEST, "document")], [true, true, true, false]),
    fetch(&[(SITE, "same-origin"), (MODE, "cors")], [true, true, true, false]),
    fetch(&[(SITE, "same-origin"), (MODE, "no-cors"), (DEST, "style")], [true, true, true, false]),
    fetch(&[(SITE, "same-origin"), (MODE, "same-origin"), (DEST, "serviceworker")], [true, true, true, false]),
    fetch(&[(SITE, "same-site"), (MODE, "no-cors"), (DEST, "image")], [false; 4]),
    fetch(&[(SITE, "cross-site"), (MODE, "no-cors"), (DEST, "script")], [false; 4]),
    fetch(&[(SITE, "cross-site"), (MODE, "cors"), (DEST, "script")], [false; 4]),
    fetch(&[(SITE, "cross-site"), (MODE, "cors")], [false; 4]),
    fetch(&[(SITE, "cross-site")], [false; 4]),
    fetch(&[(SITE, "cross-site"), (MODE, "websocket")], [false; 4]),
    fetch(&[(SITE, "cross-site"), (MODE, "navigate"), (DEST, "document")], [false, true, false, false]),
    fetch(&[(SITE, "same-site"), (MODE, "navigate")], [false, true, false, false]),
    fetch(&[(SITE, "cross-site"), (MODE, "navigate"), (DEST, "iframe")], [false; 4]),
    fetch(&[(SITE, "cross-site"), (MODE, "navigate"), (MODE, "navigate")], [false; 4]),
    fetch(&[(SITE, "None")], [false; 4]),
    fetch(&[(SITE, "")], [false; 4]),
    fetch(&[(SITE, "none"), (SITE, "none")], [false; 4]),
    fetch(&[(SITE, "same-origin"), (SITE, "cross-site")], [false; 4]),
];

enum Expect {
    Read,
    Page,
    WithBody,
    WithoutBody,
}

const ROUTES: &[(Method, &str, Expect)] = &[
    (Method::GET, "/", Expect::Page),
    (Method::GET, "/docs", Expect::Page),
    (Method::GET, "/app", Expect::Page),
    (Method::GET, "/app/", Expect::Page),
    (Method::GET, "/app/assets/index.js", Expect::Page),
    (Method::GET, "/app/chat?peer=bob", Expect::Page),
    // A navigation is a GET; nothing else to a page is one.
    (Method::HEAD, "/", Expect::Read),
    (Method::HEAD, "/app/", Expect::Read),
    (Method::OPTIONS, "/docs", Expect::Read),
    (Method::GET, "/status", Expect::Read),
    (Method::GET, "/health", Expect::Read),
    (Method::GET, "/openapi.json", Expect::Read),
    (Method::GET, "/peers", Expect::Read),
    (Method::GET, "/connected-peers", Expect::Read),
    (Method::GET, "/messages?limit=5", Expect::Read),
    (Method::GET, "/ws", Expect::Read),
    (Method::GET, "/events", Expect::Read),
    (Method::GET, "/nowhere", Expect::Read),
    (Method::GET, "/application", Expect::Read),
    (Method::GET, "/docs/x", Expect::Read),
    (Method::OPTIONS, "/send", Expect::Read),
    (Method::GET, "/p2p/", Expect::Read),
    (Method::GET, "//p2p", Expect::Read),
    (Method::POST, "/start", Expect::WithBody),
    (Method::POST, "/connect", Expect::WithBody),
    (Method::POST, "/send", Expect::WithBody),
    (Method::POST, "/broadcast?content=hi", Expect::WithoutBody),
    (Method::POST, "/stop", Expect::WithoutBody),
    (Method::DELETE, "/disconnect/bob", Expect::WithoutBody),
    (Method::DELETE, "/contacts/bob/key", Expect::WithoutBody),
    (Method::POST, "/nowhere", Expect::WithoutBody),
    (Method::PUT, "/send", Expect::WithoutBody),
    (Method::PATCH, "/", Expect::WithoutBody),
    (Method::TRACE, "/status", Expect::WithoutBody),
    (Method::POST, "/send/", Expect::WithoutBody),
];

fn guard() -> Guard {
    let hosts = ["chat.example", "192.168.1.5"].map(|host| host.parse().unwrap()).to_vec();
    Guard::new(hosts, ALLOWED.iter().map(|origin| origin.parse::<Origin>().unwrap()).collect())
}

fn judge(method: &Method, uri: &str, hosts: &[&str], others: &[(&str, &str)]) -> Verdict {
    let mut headers = HeaderMap::new();
    let hosts = hosts.iter().map(|host| ("host", *host));
    for (name, value) in hosts.chain(others.iter().copied()) {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        headers.append(name.parse::<HeaderName>().unwrap(), value);
    }
    guard().judge(method, &uri.parse::<Uri>().unwrap(), &headers)
}

#[test]
fn a_request_for_another_host_is_refused_whatever_else_it_says() {
    for (method, uri, _) in ROUTES {
        for hosts in OTHER_HOSTS {
            for others in FETCHES.iter().map(|fetch| fetch.headers) {
                assert_eq!(
                    judge(method, uri, hosts, others),
                    Verdict::WrongHost,
                    "{method} {uri} {hosts:?} {others:?}"
                );
            }
            for origin in ALLOWED.iter().copied().chain(["null", "http://localhost:3000", "http://evil.example"]) {
                let verdict = judge(method, uri, hosts, &[("origin", origin)]);
                assert_eq!(verdict, Verdict::WrongHost, "{method} {uri} {hosts:?} {origin}");
            }
        }
    }
}

#[test]
fn own_and_allowed_origins_pass_everywhere_and_no_other_does() {
    for (method, uri, _) in ROUTES {
        for (hosts, own) in OUR_HOSTS {
            for fetch in FETCHES {
                let with = |origins: &[&'static str]| {
                    let origins = origins.iter().map(|origin| ("origin", *origin));
                    judge(method, uri, hosts, &origins.chain(fetch.headers.iter().copied()).collect::<Vec<_>>())
                };
                for origin in own.iter().chain(ALLOWED) {
                    assert_eq!(with(&[origin]), Verdict::Pass, "{method} {uri} {hosts:?} {origin}");
                }
                for origins in FOREIGN {
                    assert_eq!(with(origins), Verdict::ForeignOrigin, "{method} {uri} {hosts:?} {origins:?}");
                }
            }
            for (_, others) in OUR_HOSTS {
                for other in others.iter().filter(|other| !own.contains(other)) {
                    let verdict = judge(method, uri, hosts, &[("origin", other)]);
                    assert_eq!(verdict, Verdict::ForeignOrigin, "{method} {uri} {hosts:?} {other}");
                }
            }
        }
    }
}

#[test]
fn only_names_that_were_allowed_are_served_through_tls() {
    for host in ["localhost:3000", "127.0.0.1:3000", "[::1]:3000"] {
        let origin = format!("https://{host}");
        let verdict = judge(&Method::GET, "/ws", &[host], &[("origin", &origin)]);
        assert_eq!(verdict, Verdict::ForeignOrigin, "{origin}");
    }
}

#[test]
fn without_an_origin_the_fetch_metadata_decides() {
    for (method, uri, expect) in ROUTES {
        for (hosts, _) in OUR_HOSTS {
            for fetch in FETCHES {
                let pass = match expect {
                    Expect::Read => fetch.read,
                    Expect::Page => fetch.page,
                    Expect::WithBody => fetch.with_body,
                    Expect::WithoutBody => fetch.without_body,
                };
                let expected = if pass { Verdict::Pass } else { Verdict::ForeignOrigin };
                let verdict = judge(method, uri, hosts, fetch.headers);
                assert_eq!(verdict, expected, "{method} {uri} {hosts:?} {:?}", fetch.headers);
            }
        }
    }
}

#[test]
fn the_request_line_and_the_host_header_must_agree() {
    let judge = |uri| judge(&Method::GET, uri, &["localhost:3000"], &[]);
    assert_eq!(judge("http://localhost:3000/status"), Verdict::Pass);
    assert_eq!(judge("http://evil.example/status"), Verdict::WrongHost);
    assert_eq!(judge("http://localhost:3001/status"), Verdict::WrongHost);
    assert_eq!(judge("http://user@localhost:3000/status"), Verdict::WrongHost);
}

#[test]
fn peers_come_to_any_host_and_pages_to_none() {
    for method in [Method::GET, Method::POST, Method::OPTIONS] {
        for hosts in OUR_HOSTS.iter().map(|(hosts, _)| *hosts).chain(OTHER_HOSTS.iter().copied()) {
            assert_eq!(judge(&method, "/p2p", hosts, &[]), Verdict::Pass, "{hosts:?}");
            for origin in ["null", "", "http://localhost:3000", "http://localhost:8080", "http://evil.example"] {
                let verdict = judge(&method, "/p2p", hosts, &[("origin", origin)]);
                assert_eq!(verdict, Verdict::ForeignOrigin, "{hosts:?} {origin}");
            }
        }
    }
}
