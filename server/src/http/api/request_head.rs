//! What the head of a request has to keep to, whatever it asks for (RFC 9110, RFC 9112).

use super::problem::Problem;
use warp::http::{HeaderMap, HeaderName, HeaderValue, Request, Version, header, uri::Authority};

/// Headers that name one thing. Two of them are read differently by different readers, which is how one is told something that
/// another has not checked.
static ONCE: [HeaderName; 6] = [
    header::HOST,
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::SEC_WEBSOCKET_KEY,
    header::SEC_WEBSOCKET_VERSION,
    HeaderName::from_static("last-event-id"),
];

/// No file here has more bytes; what warp would add up does not overflow.
const MOST_DIGITS_OF_RANGE: usize = 18;

/// Refuses what HTTP/1.1 says is to be refused, and puts the target's authority where everybody looks for the host.
pub(in crate::http) fn check_head<B>(request: &mut Request<B>) -> Result<(), Problem> {
    let headers = request.headers();
    if let Some(name) = ONCE.iter().find(|name| headers.get_all(*name).iter().nth(1).is_some()) {
        return Err(Problem::malformed(format!("the header {name} stands more than once")));
    }
    match headers.get(header::HOST) {
        None if request.version() >= Version::HTTP_11 => return Err(Problem::malformed("the header host is missing")),
        Some(host) if !is_host(host.as_bytes()) => return Err(Problem::malformed("the header host names no host")),
        None | Some(_) => {}
    }
    // "must ignore the received Host header field and instead replace it with the host information of the request-target"
    // (RFC 9112 §3.2.2).
    if let Some(authority) = request.uri().authority() {
        if !is_host(authority.as_str().as_bytes()) {
            return Err(Problem::malformed("the target names no host"));
        }
        let host =
            HeaderValue::from_str(authority.as_str()).map_err(|_| Problem::malformed("the target names no host"))?;
        request.headers_mut().insert(header::HOST, host);
    }
    drop_overflowing_range(request.headers_mut());
    Ok(())
}

/// `uri-host [":" port]` (RFC 9110 §7.2), or nothing, as where the target has no authority.
fn is_host(text: &[u8]) -> bool {
    text.is_empty()
        || (Authority::try_from(text).is_ok_and(|authority| has_port_if_any(&authority)) && !text.contains(&b'@'))
}

/// The library takes any digits, and none, behind the colon. An empty port is allowed (RFC 3986 §3.2.3).
fn has_port_if_any(authority: &Authority) -> bool {
    let after_host = authority.as_str().get(authority.host().len()..).unwrap_or_default();
    !authority.host().is_empty() && (after_host.is_empty() || after_host == ":" || authority.port_u16().is_some())
}

/// A server may ignore any `Range` (RFC 9110 §14.2).
fn drop_overflowing_range(headers: &mut HeaderMap) {
    let overflows = |range: &HeaderValue| {
        range.as_bytes().split(|byte| !byte.is_ascii_digit()).any(|digits| digits.len() > MOST_DIGITS_OF_RANGE)
    };
    if headers.get_all(header::RANGE).iter().any(overflows) {
        headers.remove(header::RANGE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(target: &str, headers: &[(&str, &str)]) -> Result<Request<()>, Problem> {
        let mut request = Request::get(target);
        for (name, value) in headers {
            request = request.header(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let mut request = request.body(()).unwrap();
        check_head(&mut request).map(|()| request)
    }

    #[test]
    fn a_host_there_is_one_of() {
        for host in ["localhost", "localhost:80", "localhost:", "[::1]:8080", "[::1]", "192.0.2.1", "a.example.", ""] {
            assert!(checked("/", &[("host", host)]).is_ok(), "{host}");
        }
        for host in ["a b", "a/b", "a:b", "a:80:80", "user@a", "a:65536", ":80", "[::1", "é"] {
            assert!(checked("/", &[("host", host)]).is_err(), "{host}");
        }
        assert!(checked("/", &[]).is_err());
        assert!(checked("/", &[("host", "a"), ("host", "a")]).is_err());
        let mut old = Request::get("/").version(Version::HTTP_10).body(()).unwrap();
        assert!(check_head(&mut old).is_ok(), "HTTP/1.0 knows no host");
    }

    #[test]
    fn an_absolute_target_says_which_host() {
        let request = checked("http://localhost:8080/v1", &[("host", "evil.example")]).unwrap();
        assert_eq!(request.headers()[header::HOST], "localhost:8080");
        assert!(checked("http://user@localhost/v1", &[("host", "localhost")]).is_err());
    }

    #[test]
    fn what_names_one_thing_stands_once() {
        for name in ["authorization", "content-type", "sec-websocket-key", "last-event-id"] {
            assert!(checked("/", &[("host", "a"), (name, "x")]).is_ok(), "{name}");
            let refused = checked("/", &[("host", "a"), (name, "x"), (name, "x")]).unwrap_err();
            assert_eq!(refused.code(), "malformed", "{name}");
        }
    }

    #[test]
    fn a_range_beyond_all_files_is_ignored() {
        let range = |range| checked("/", &[("host", "a"), ("range", range)]).unwrap().headers().contains_key("range");
        assert!(range("bytes=0-10") && range("bytes=-5"));
        for overflowing in
            ["bytes=0-18446744073709551615", "bytes=18446744073709551615-", "bytes=-99999999999999999999"]
        {
            assert!(!range(overflowing), "{overflowing}");
        }
    }
}
