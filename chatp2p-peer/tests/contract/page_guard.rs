//! Who may have the page's files: whoever opens it, and the page itself; no other page may take a piece of it.

use crate::files::{below, webui};
use crate::http;
use crate::play::idle;

fn addresses() -> Vec<String> {
    let files = below(&webui(), "").into_iter().map(|path| format!("/app/{path}"));
    files.chain(["/app/".to_owned()]).collect()
}

#[tokio::test]
async fn the_page_gets_its_own_files_however_its_browser_says_whose_they_are() {
    let peer = idle(&[]).await;
    let own = format!("http://{}", peer.program.api);
    for address in addresses() {
        for headers in [
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "style")][..],
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "cors"), ("sec-fetch-dest", "script")],
            // Some name the origin where a module or a style sheet is asked for with `crossorigin`.
            &[("origin", &own), ("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "cors")],
            &[("origin", &own)],
            &[
                ("sec-fetch-site", "same-origin"),
                ("sec-fetch-mode", "same-origin"),
                ("sec-fetch-dest", "serviceworker"),
            ],
        ] {
            assert_eq!(peer.raw("GET", &address, headers, None).await.status, 200, "{address} {headers:?}");
        }
    }
}

#[tokio::test]
async fn another_page_gets_no_piece_of_it() {
    let peer = idle(&[]).await;
    for address in addresses() {
        for site in ["cross-site", "same-site"] {
            for (mode, dest) in
                [("no-cors", "script"), ("no-cors", "image"), ("cors", "script"), ("navigate", "iframe")]
            {
                let headers = [("sec-fetch-site", site), ("sec-fetch-mode", mode), ("sec-fetch-dest", dest)];
                peer.raw("GET", &address, &headers, None).await.refuses(403, "foreign_origin");
            }
        }
        for origin in ["http://evil.example", "null"] {
            peer.raw("GET", &address, &[("origin", origin)], None).await.refuses(403, "foreign_origin");
        }
    }
}

#[tokio::test]
async fn a_link_on_any_page_may_lead_to_it() {
    let peer = idle(&[]).await;
    for site in ["cross-site", "same-site", "none"] {
        for address in ["/app/", "/app/chats/bob"] {
            let followed = [
                ("accept", "text/html"),
                ("sec-fetch-site", site),
                ("sec-fetch-mode", "navigate"),
                ("sec-fetch-dest", "document"),
            ];
            assert_eq!(peer.raw("GET", address, &followed, None).await.status, 200, "{site} {address}");
        }
    }
}

#[tokio::test]
async fn the_page_is_at_no_other_host() {
    let peer = idle(&[]).await;
    for address in addresses() {
        for host in ["evil.example", "localhost.evil.example", "0.0.0.0"] {
            let answer = http::send(peer.program.api, "GET", &address, &[("host", host)], None).await;
            answer.refuses(421, "wrong_host");
        }
    }
}
