//! The peer without its page.

use crate::play::idle;

#[tokio::test]
async fn the_front_door_of_a_headless_peer_leads_to_its_documentation() {
    let peer = idle(&[]).await;
    let front = peer.get("/").await;
    assert_eq!((front.status, front.header("location")), (307, Some("docs")));
    assert_eq!(peer.get("/docs").await.status, 200);
}

#[tokio::test]
async fn a_headless_peer_has_nothing_where_the_page_would_be() {
    let peer = idle(&[]).await;
    for path in ["/app", "/app/", "/app/index.html", "/app/chats/bob"] {
        for method in ["GET", "HEAD", "POST"] {
            let answer = peer.raw(method, path, &[("accept", "text/html")], None).await;
            assert_eq!(answer.status, 404, "{method} {path}");
        }
        peer.raw("GET", path, &[("accept", "text/html")], None).await.refuses(404, "unknown_path");
    }
}
