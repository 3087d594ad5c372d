//! Interim answers.

use crate::support::{Drill, GET, Upstream};

async fn hinting() -> Upstream {
    Upstream::scripted(|mut wire, _| async move {
        while wire.request().await.is_some() {
            wire.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nx-n: 1\r\n\r\n")
                .await;
            wire.send("HTTP/1.1 103 Early Hints\r\nLink: </b.css>; rel=preload\r\n\r\n").await;
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
            wire.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        }
    })
    .await
}

#[tokio::test]
async fn early_hints_come_early() {
    let upstream = hinting().await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;

    for _ in 0..2 {
        let first = client.ask(GET).await;
        let second = client.answer().await;
        let last = client.answer().await;

        assert_eq!(first.start(), "HTTP/1.1 103 Early Hints");
        assert_eq!(first.field("link"), Some("</a.css>; rel=preload"));
        assert_eq!(second.field("link"), Some("</b.css>; rel=preload"));
        assert_eq!((last.status(), &*last.text()), (200, "ok"));
    }
}

#[tokio::test]
async fn an_old_client_is_sent_none() {
    let upstream = hinting().await;
    let drill = Drill::calm().before(&upstream);

    let answer = drill.ask("GET / HTTP/1.0\r\nhost: a\r\n\r\n").await;

    assert_eq!(answer.start(), "HTTP/1.0 200 OK");
}

#[tokio::test]
async fn a_hint_that_comes_together_with_the_answer_comes_before_it() {
    let both = "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\n\
                content-length: 2\r\n\r\nok";
    let upstream = Upstream::answering(both).await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;

    for _ in 0..2 {
        assert_eq!(client.ask(GET).await.start(), "HTTP/1.1 103 Early Hints");
        assert_eq!(client.answer().await.text(), "ok");
    }
}
