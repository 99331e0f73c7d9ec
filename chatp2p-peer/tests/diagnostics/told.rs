//! What the doctor says where there is nobody to ask, and in which form.

use crate::ask::{doctor, town};
use crate::play::{link, output};

#[tokio::test]
async fn where_nothing_runs_the_doctor_says_how_to_start_it() {
    let data = tempfile::tempdir().unwrap();
    let nowhere = data.path().join("nothing").to_str().unwrap().to_owned();
    for args in [
        &["--bind", "127.0.0.1:1", "--data-dir", &nowhere, "doctor"][..],
        &["doctor", "bob", "--url", "http://127.0.0.1:1", "--data-dir", &nowhere],
    ] {
        let (code, out, trouble) = output(args).await;
        assert_eq!((code, &*out), (Some(1), ""), "{trouble}");
        assert!(trouble.contains("nothing answers at http://127.0.0.1:1/"), "{trouble}");
        let last = trouble.lines().last().unwrap_or_default();
        assert!(last.starts_with("next: start the peer") && last.contains("--url"), "{trouble}");
    }
    assert!(!data.path().join("nothing").exists(), "asking leaves nothing behind");
}

#[tokio::test]
async fn what_is_no_peer_is_told_and_what_cannot_be_asked_is_refused() {
    let (tracker, alice, _bob) = town().await;
    let url = format!("http://{}", tracker.api);
    let (code, _, _) = output(&["doctor", "--url", &url]).await;
    assert_eq!(code, Some(1));
    // What speaks no HTTP at all.
    let door = format!("http://{}", crate::ask::door(&alice).await);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = silent.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((socket, _)) = silent.accept() {
            drop(socket)
        }
    });
    for url in [door, format!("http://{at}")] {
        let (code, _, trouble) = output(&["doctor", "--url", &url]).await;
        assert!(code == Some(1) && trouble.contains("\nnext: ") && trouble.contains("--url URL"), "{trouble}");
    }
    let (code, _, trouble) = output(&["doctor", "--url", "localhost:3000"]).await;
    assert!(code == Some(1) && trouble.contains("http://localhost:3000"), "{trouble}");
    let (said, well) = doctor(&alice, &["nobody"]).await;
    assert!(!well && said.starts_with("unknown_peer: ") && said.contains("\nnext: Check the spelling"), "{said}");
}

#[tokio::test]
async fn the_doctor_speaks_in_lines_or_prints_what_the_api_answers() {
    let (_tracker, alice, bob) = town().await;
    link(&alice, &bob).await;
    let (said, well) = doctor(&alice, &[]).await;
    assert!(well && said.starts_with("node: runs as alice, "), "{said}");
    for line in
        ["\nlistens: 127.0.0.1:", "\nadvertises: ws://127.0.0.1:", "\ncallers: nobody has called", "\nlinks: 1\n"]
    {
        assert!(said.contains(line), "{said}");
    }
    let (said, well) = doctor(&alice, &["bob"]).await;
    assert!(well && said.starts_with("bob: connected since ") && said.contains("\naccepted: ok\n"), "{said}");
    let (printed, well) = doctor(&alice, &["bob", "--json"]).await;
    let printed: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert!(well);
    assert_eq!(printed, alice.get("/diagnostics/bob").await.json());
}
