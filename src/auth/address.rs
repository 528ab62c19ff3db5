//! Lists of addresses a user or key may call from, and how addresses are grouped for limits.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

/// Where calls may come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressList(Vec<Rule>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Network(IpNet),
    /// Frappe's own form: the address's text starts with this, as in `192.168.`.
    Prefix(String),
}

impl AddressList {
    /// Reads a comma or newline separated list; an empty one allows everything.
    pub fn parse(text: Option<&str>) -> Self {
        let words = text.unwrap_or_default().split([',', '\n']).map(str::trim).filter(|word| !word.is_empty());
        Self(
            words
                .map(|word| match word.parse::<IpNet>().or_else(|_| word.parse::<IpAddr>().map(IpNet::from)) {
                    Ok(network) => Rule::Network(network),
                    Err(_) => Rule::Prefix(word.to_owned()),
                })
                .collect(),
        )
    }

    /// Whether a call from here is allowed.
    pub fn allows(&self, address: IpAddr) -> bool {
        self.0.is_empty()
            || self.0.iter().any(|rule| match rule {
                Rule::Network(network) => network.contains(&address),
                Rule::Prefix(prefix) => address.to_string().starts_with(prefix),
            })
    }
}

/// The text by which an address is counted: IPv6 by /64, since one host has a whole one.
pub fn limit_key(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_single_addresses_and_frappes_prefixes_are_understood() {
        let list = AddressList::parse(Some("10.0.0.0/8, 192.168.1.\n2001:db8::1"));
        for good in ["10.9.8.7", "192.168.1.20", "2001:db8::1"] {
            assert!(list.allows(good.parse().expect("address")), "{good}");
        }
        for bad in ["11.0.0.1", "192.168.10.1", "2001:db8::2"] {
            assert!(!list.allows(bad.parse().expect("address")), "{bad}");
        }
        assert!(AddressList::parse(Some("  ")).allows("1.2.3.4".parse().expect("address")));
    }
}
