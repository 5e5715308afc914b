//! Addresses that belong together: those of the proxies that are believed.

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, de};
use std::{fmt, net::IpAddr, str::FromStr};

/// One address, or all with a prefix in CIDR notation (RFC 4632 §3.1): `127.0.0.1`, `10.0.0.0/8`, `2001:db8::/32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(IpNet);

impl Network {
    /// Whether an address is one of these. An IPv4 address that came as IPv6 is the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self(address.to_canonical().into())
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(address.into());
        }
        let network: IpNet = text.parse().map_err(|_| NetworkError)?;
        // Who means 10.1.0.0/16 and writes 10.1.2.3/16 may as well have meant 10.1.2.3.
        if network.trunc() != network {
            return Err(NetworkError);
        }
        Ok(Self(as_ipv4(network).unwrap_or(network)))
    }
}

/// The IPv4 network that an IPv6 network of mapped addresses (`::ffff:0:0/96`, RFC 4291 §2.5.5.2) stands for.
fn as_ipv4(network: IpNet) -> Option<IpNet> {
    let IpNet::V6(v6) = network else { return None };
    let prefix = v6.prefix_len().checked_sub(96)?;
    Ipv4Net::new(v6.addr().to_ipv4_mapped()?, prefix).ok().map(IpNet::from)
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The text is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither an address nor a network such as 10.0.0.0/8, with nothing set beyond the prefix")]
pub struct NetworkError;

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        network.parse::<Network>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn an_address_is_itself_and_a_network_all_of_its_own() {
        assert!(contains("10.0.0.1", "10.0.0.1") && !contains("10.0.0.1", "10.0.0.2"));
        assert!(contains("10.0.0.0/8", "10.255.0.1") && !contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("2001:db8::/32", "2001:db8:1::1") && !contains("2001:db8::/32", "2001:db9::1"));
        assert!(contains("0.0.0.0/0", "192.0.2.1") && !contains("0.0.0.0/0", "2001:db8::1"));
    }

    #[test]
    fn ipv4_is_ipv4_however_it_is_written() {
        assert!(contains("::ffff:10.0.0.1", "10.0.0.1") && contains("10.0.0.1", "::ffff:10.0.0.1"));
        assert!(contains("::ffff:10.0.0.0/104", "10.1.2.3") && contains("10.0.0.0/8", "::ffff:10.1.2.3"));
    }

    #[test]
    fn nothing_else_is_a_network() {
        for text in ["", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/", "proxy.example", "10.0.0.1:80", "[::1]", "::/129"] {
            assert_eq!(text.parse::<Network>(), Err(NetworkError), "{text}");
        }
    }
}
