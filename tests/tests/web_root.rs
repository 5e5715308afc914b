//! Files that were compressed beforehand, and for how long they may be kept.

use countersign_tests::{TestServer, within};
use http_body_util::{BodyExt, Empty};
use hyper::{Request, Response, body::Bytes, client::conn::http1::handshake};
use hyper_util::rt::TokioIo;
use std::{fs::File, path::Path, time::Duration};
use tokio::net::TcpStream;

/// Writes a file that is older than now by so many seconds.
fn write(path: &Path, text: &str, age: u64) {
    std::fs::write(path, text).unwrap();
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(file.metadata().unwrap().modified().unwrap() - Duration::from_secs(age)).unwrap();
}

async fn get(server: &TestServer, path: &str, headers: &[(&str, &str)]) -> Response<Bytes> {
    let answer = async {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = headers.iter().fold(Request::get(path).header("host", "localhost"), |request, (name, value)| {
            request.header(*name, *value)
        });
        let (head, body) =
            sender.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap().into_parts();
        Response::from_parts(head, body.collect().await.unwrap().to_bytes())
    };
    within("the file", answer).await
}

fn header<'a>(response: &'a Response<Bytes>, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn only_what_is_current_is_sent_compressed() {
    let root = tempfile::tempdir().unwrap();
    write(&root.path().join("a.js"), "as it is", 100);
    write(&root.path().join("a.js.br"), "br of before", 200);
    write(&root.path().join("a.js.gz"), "gzip", 100);
    let server = TestServer::with(|settings| settings.web_root = Some(root.path().into())).await;
    let both = [("accept-encoding", "gzip, br")];
    let answer = get(&server, "/a.js", &both).await;
    assert_eq!((&answer.body()[..], header(&answer, "content-encoding")), (&b"gzip"[..], "gzip"));
    assert_eq!(header(&answer, "content-length"), "4");
    assert_eq!(header(&answer, "content-type"), "text/javascript");
    assert_eq!(header(&answer, "vary"), "accept-encoding");
    let plain = get(&server, "/a.js", &[]).await;
    assert_eq!((&plain.body()[..], header(&plain, "content-encoding")), (&b"as it is"[..], ""));
    assert_eq!(header(&plain, "vary"), "accept-encoding");

    // The same content has the same tag, whenever it was written; another has another.
    let etag = header(&answer, "etag").to_owned();
    write(&root.path().join("a.js.gz"), "gzip", 50);
    assert_eq!(get(&server, "/a.js", &[both[0], ("if-none-match", &etag)]).await.status(), 304);
    write(&root.path().join("a.js.gz"), "GZIP", 50);
    assert_eq!(get(&server, "/a.js", &[both[0], ("if-none-match", &etag)]).await.status(), 200);
    server.finish(()).await;
}

#[tokio::test]
async fn only_what_never_changes_is_kept_without_asking() {
    let parent = tempfile::tempdir().unwrap();
    // What lies above the root says nothing of what is below it.
    let root = parent.path().join("immutable");
    std::fs::create_dir_all(root.join("immutable")).unwrap();
    write(&root.join("index.html"), "page", 0);
    write(&root.join("immutable/a.js"), "script", 0);
    let server = TestServer::with(|settings| settings.web_root = Some(root.clone())).await;
    let cached = async |path: &str, headers: &[(&str, &str)]| {
        let answer = get(&server, path, headers).await;
        (answer.status().as_u16(), header(&answer, "cache-control").to_owned())
    };
    assert_eq!(cached("/", &[]).await, (200, "no-cache".into()));
    assert_eq!(cached("/immutable/a.js", &[]).await, (200, "public, max-age=31536000, immutable".into()));
    assert_eq!(cached("/immutable/a.js", &[("range", "bytes=90-")]).await, (416, "no-cache".into()));
    assert_eq!(cached("/immutable/b.js", &[]).await, (404, "no-cache".into()));
    server.finish(()).await;
}
