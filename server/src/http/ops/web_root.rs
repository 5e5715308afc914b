//! The page's files: what was compressed beforehand is sent so, and each file says for how long it may be kept.

use super::security_headers::confine;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::BytesMut;
use futures_util::stream::try_unfold;
use headers::{ETag, HeaderMapExt, IfNoneMatch};
use sha2::{Digest, Sha256};
use std::{
    ffi::OsString,
    io::{self, SeekFrom},
    path::Path,
    sync::Arc,
    time::SystemTime,
};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt},
};
use warp::{
    Filter, Rejection, Reply,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    reject::MethodNotAllowed,
    reply::Response,
};

/// The names of content codings (RFC 9110 §8.4.1), and what the names of files end with that are encoded so; the shortest first.
const ENCODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

/// What lies in a directory of this name never changes: other content has another address.
const IMMUTABLE_DIRECTORY: &str = "immutable";
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// How much of a file is read at once, in bytes.
const CHUNK_BYTES: usize = 16 * 1024;

/// The files below `root`. A path that names none of them is not found, whatever else may be odd about it.
pub(in crate::http) fn web_root(root: &Path) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + use<> {
    let base: Arc<Path> = root.into();
    warp::fs::dir(root.to_path_buf())
        .or_else(|rejection: Rejection| async {
            Err(if rejection.find::<MethodNotAllowed>().is_some() { rejection } else { warp::reject::not_found() })
        })
        .and(warp::header::headers_cloned())
        .then(move |file: warp::fs::File, headers: HeaderMap| {
            let base = Arc::clone(&base);
            async move {
                let below = file.path().strip_prefix(&base).unwrap_or(Path::new(""));
                let is_immutable = below.iter().any(|part| part == IMMUTABLE_DIRECTORY);
                let mut response = best(file, &headers).await;
                if is_immutable && !response.status().is_client_error() {
                    response.headers_mut().insert(header::CACHE_CONTROL, IMMUTABLE);
                }
                confine(response)
            }
        })
}

/// The file in the encoding that suits its reader best.
async fn best(file: warp::fs::File, headers: &HeaderMap) -> Response {
    let path = file.path().to_path_buf();
    let mut plain = file.into_response();
    let mut has_other = false;
    let mut chosen = None;
    for (encoding, ending) in ENCODINGS {
        let Some(compressed) = Compressed::open(&path, encoding, ending).await else { continue };
        has_other = true;
        // Part of a file, or that it has not changed, is said of the file as it is.
        if chosen.is_none() && plain.status() == StatusCode::OK && accepts(headers, encoding) {
            chosen = Some(compressed);
        }
    }
    if let Some(compressed) = chosen
        && let Ok(response) = compressed.answer(headers, plain.headers().get(header::CONTENT_TYPE)).await
    {
        return response;
    }
    if has_other {
        plain.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    plain
}

/// Whether a reader takes this encoding (RFC 9110 §12.5.3). What it says of `*` may be left alone: it then gets the file as it is.
fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|offer| {
            let (name, weight) = offer.split_once(';').unwrap_or((offer, ""));
            let is_refused = weight.trim().strip_prefix("q=").is_some_and(|q| q.parse().is_ok_and(|q: f32| q <= 0.0));
            name.trim().eq_ignore_ascii_case(encoding) && !is_refused
        })
}

/// What a file was compressed to beforehand.
struct Compressed {
    encoding: &'static str,
    file: File,
    /// In bytes.
    length: u64,
}

impl Compressed {
    /// Opens it beside the file at `path`; nothing where there is none, or the file was written since.
    async fn open(path: &Path, encoding: &'static str, ending: &str) -> Option<Self> {
        let mut beside = OsString::from(path);
        beside.push(ending);
        let file = File::open(beside).await.ok()?;
        let metadata = file.metadata().await.ok()?;
        let written: SystemTime = tokio::fs::metadata(path).await.ok()?.modified().ok()?;
        let is_current = metadata.is_file() && metadata.modified().is_ok_and(|time| time >= written);
        is_current.then_some(Self { encoding, file, length: metadata.len() })
    }

    /// Sends it, or says that the reader has it.
    async fn answer(mut self, headers: &HeaderMap, content_type: Option<&HeaderValue>) -> io::Result<Response> {
        let etag = self.etag().await?;
        let is_known = headers.typed_get::<IfNoneMatch>().is_some_and(|known| !known.precondition_passes(&etag));
        let mut response = if is_known { StatusCode::NOT_MODIFIED.into_response() } else { self.send() };
        let headers = response.headers_mut();
        headers.typed_insert(etag);
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if let Some(content_type) = content_type.filter(|_| !is_known) {
            headers.insert(header::CONTENT_TYPE, content_type.clone());
        }
        Ok(response)
    }

    fn send(self) -> Response {
        let Self { encoding, file, length } = self;
        let chunks = try_unfold(file, async |mut file| {
            let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
            Ok::<_, io::Error>((file.read_buf(&mut chunk).await? > 0).then(|| (chunk.freeze(), file)))
        });
        let mut response = warp::reply::stream(chunks).into_response();
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
        response
    }

    /// Of what it says, not of when it was written: packages and images give all their files one time.
    async fn etag(&mut self) -> io::Result<ETag> {
        let mut hash = Sha256::new();
        let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
        while self.file.read_buf(&mut chunk).await? > 0 {
            hash.update(&chunk);
            chunk.clear();
        }
        self.file.seek(SeekFrom::Start(0)).await?;
        let text = format!("\"{}\"", URL_SAFE_NO_PAD.encode(hash.finalize()));
        text.parse().map_err(|_| io::Error::other("no entity tag"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_is_taken_where_it_is_named_and_not_refused() {
        let accepts = |line: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, line.parse().unwrap());
            super::accepts(&headers, "br")
        };
        for line in ["br", "gzip, deflate, br, zstd", "gzip;q=1.0,BR ; q=0.1", "br;q=1"] {
            assert!(accepts(line), "{line}");
        }
        for line in ["", "gzip", "brotli", "br;q=0", "br; q=0.000", "*", "identity"] {
            assert!(!accepts(line), "{line}");
        }
        assert!(!super::accepts(&HeaderMap::new(), "br"));
    }
}
