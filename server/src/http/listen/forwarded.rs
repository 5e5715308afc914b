//! Who is at the far end, where a proxy that the operator trusts says so.

use super::network::Network;
use std::net::{IpAddr, SocketAddr};
use warp::http::HeaderMap;

/// Whether a peer is a proxy that the operator trusts.
pub(in crate::http) fn is_trusted(proxies: &[Network], peer: IpAddr) -> bool {
    proxies.iter().any(|proxy| proxy.contains(peer))
}

/// The address a request came from: the peer's, or, where the peer is a trusted proxy, the last one in `X-Forwarded-For` that is
/// no trusted proxy itself. What stands before that was written by somebody nobody vouches for.
pub(in crate::http) fn client(peer: IpAddr, headers: &HeaderMap, proxies: &[Network]) -> IpAddr {
    let peer = peer.to_canonical();
    if !is_trusted(proxies, peer) {
        return peer;
    }
    let lines = headers.get_all("x-forwarded-for").iter().rev();
    let named = lines.flat_map(|line| line.to_str().unwrap_or("?").rsplit(','));
    named
        // An element of a list may be empty (RFC 9110 §5.6.1.2).
        .filter(|element| !element.trim().is_empty())
        .map_while(address)
        .find(|address| !is_trusted(proxies, *address))
        .unwrap_or(peer)
}

/// The address in one element. The header has no specification: some proxies add the port, the brackets of a URL, quotes or a zone.
/// Others write `unknown`, or a name of their own for the client, which is no address.
fn address(element: &str) -> Option<IpAddr> {
    let element = element.trim();
    let element = element.strip_prefix('"').and_then(|quoted| quoted.strip_suffix('"')).unwrap_or(element);
    let bare = element.strip_prefix('[').and_then(|bracketed| bracketed.strip_suffix(']')).unwrap_or(element);
    let zoneless = bare.split_once('%').map_or(bare, |(address, _zone)| address);
    let parsed = zoneless.parse::<IpAddr>().or_else(|_| element.parse::<SocketAddr>().map(|address| address.ip()));
    parsed.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, forwarded: &[&str]) -> String {
        let trusted = ["10.0.0.1", "10.0.0.2", "10.1.0.0/16"].map(|network| network.parse().unwrap());
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        client(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn a_trusted_proxy_is_believed_and_nobody_else() {
        assert_eq!(seen("10.0.0.1", &["192.0.2.7"]), "192.0.2.7");
        assert_eq!(seen("10.1.2.3", &["192.0.2.7"]), "192.0.2.7");
        assert_eq!(seen("10.0.0.1", &["192.0.2.7, 10.0.0.2"]), "192.0.2.7");
        assert_eq!(seen("10.0.0.1", &["192.0.2.7", "10.1.255.1:9, 10.0.0.2"]), "192.0.2.7");
        assert_eq!(seen("198.51.100.1", &["192.0.2.7"]), "198.51.100.1");
    }

    #[test]
    fn what_a_client_wrote_itself_does_not_count() {
        assert_eq!(seen("10.0.0.1", &["1.1.1.1, 192.0.2.7"]), "192.0.2.7");
        for named in [
            "192.0.2.7, nonsense",
            "192.0.2.7, unknown",
            "192.0.2.7, _hidden",
            "192.0.2.7, 192.0.2.8:",
            "192.0.2.7, \u{e9}",
        ] {
            assert_eq!(seen("10.0.0.1", &[named]), "10.0.0.1", "{named}");
        }
        assert_eq!(seen("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn an_address_is_read_however_a_proxy_writes_it() {
        for named in [
            "203.0.113.7:4711",
            " 203.0.113.7 ",
            "\"203.0.113.7:1\"",
            "::ffff:203.0.113.7",
            "[::ffff:203.0.113.7]:80",
            "203.0.113.7, ",
            "203.0.113.7,,",
        ] {
            assert_eq!(seen("10.0.0.1", &[named]), "203.0.113.7", "{named}");
        }
        for named in [
            "2001:db8::1",
            "[2001:db8::1]",
            "[2001:db8::1]:4711",
            "\"[2001:db8::1]:4711\"",
            "2001:db8::1%eth0",
            "[2001:db8::1%25eth0]",
        ] {
            assert_eq!(seen("10.0.0.1", &[named]), "2001:db8::1", "{named}");
        }
    }
}
