//! Which addresses the server may connect to when somebody else names them: public ones, by the registries of
//! special-purpose addresses (RFC 6890 and what IANA added since), and what the operator opened.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::FetchError;

/// Not the public Internet, by purpose.
const SPECIAL_V4: [(Ipv4Addr, u8); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),       // this network, and "unspecified"
    (Ipv4Addr::new(10, 0, 0, 0), 8),      // private
    (Ipv4Addr::new(100, 64, 0, 0), 10),   // carriers' own (CGNAT)
    (Ipv4Addr::new(127, 0, 0, 0), 8),     // loopback
    (Ipv4Addr::new(169, 254, 0, 0), 16),  // link-local, where clouds keep their metadata
    (Ipv4Addr::new(172, 16, 0, 0), 12),   // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),    // protocol assignments
    (Ipv4Addr::new(192, 0, 2, 0), 24),    // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24),  // 6to4 relays
    (Ipv4Addr::new(192, 168, 0, 0), 16),  // private
    (Ipv4Addr::new(198, 18, 0, 0), 15),   // benchmarking
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),  // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),     // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),     // reserved, broadcast
];

/// What IANA hands out as global unicast. All else is refused: loopback, unique-local, link- and site-local,
/// multicast, IPv4-compatible addresses, and what has no purpose yet.
const GLOBAL_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Inside that, not the public Internet either.
const SPECIAL_V6: [(Ipv6Addr, u8); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments: Teredo, benchmarking, ORCHID
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4: an IPv4 address in disguise, and retired
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

/// NAT64 (RFC 6052): the way to IPv4 hosts from networks without IPv4, so what counts is the address inside.
const NAT64: (Ipv6Addr, u8) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// Which addresses may be connected to.
pub(super) struct Rules {
    allowed: Vec<IpNet>,
}

impl Rules {
    /// Public addresses, and these networks whatever they are.
    pub fn new(allowed: &[IpNet]) -> Self {
        Self { allowed: allowed.to_vec() }
    }

    /// Whether an address may be connected to.
    ///
    /// # Errors
    /// [`FetchError::Forbidden`] names it.
    pub fn check(&self, address: IpAddr) -> Result<(), FetchError> {
        // `::ffff:10.0.0.1` leads where 10.0.0.1 does.
        let real = match address.to_canonical() {
            IpAddr::V6(v6) => embedded(v6).map_or(IpAddr::V6(v6), IpAddr::V4),
            v4 => v4,
        };
        let opened = |address: &IpAddr| self.allowed.iter().any(|network| network.contains(address));
        if opened(&address) || opened(&real) || is_public(real) { Ok(()) } else { Err(FetchError::Forbidden(address.to_string())) }
    }
}

/// The IPv4 address that a NAT64 address stands for.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [.., a, b, c, d] = address.octets();
    within_v6(NAT64, address).then(|| Ipv4Addr::new(a, b, c, d))
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !SPECIAL_V4.into_iter().any(|(network, prefix)| Ipv4Net::new_assert(network, prefix).contains(&v4)),
        IpAddr::V6(v6) => within_v6(GLOBAL_V6, v6) && !SPECIAL_V6.into_iter().any(|network| within_v6(network, v6)),
    }
}

fn within_v6((network, prefix): (Ipv6Addr, u8), address: Ipv6Addr) -> bool {
    Ipv6Net::new_assert(network, prefix).contains(&address)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn allowed(text: &str) -> bool {
        Rules::new(&[]).check(text.parse().expect(text)).is_ok()
    }

    #[test]
    fn public_addresses_are_reached() {
        for address in ["8.8.8.8", "1.1.1.1", "172.15.255.255", "172.32.0.1", "100.63.255.255", "2606:4700::1111", "2a00:1450:4001::2003"] {
            assert!(allowed(address), "{address}");
        }
        // Public hosts as a network without IPv4 sees them, and as a socket of both kinds prints them.
        assert!(allowed("64:ff9b::808:808") && allowed("::ffff:8.8.8.8"));
    }

    #[test]
    fn addresses_with_a_purpose_of_their_own_are_not() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::808:808",
            "100::1",
            "2001::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2001:2::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:808:808::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(!allowed(address), "{address}");
        }
    }

    #[test]
    fn what_the_operator_opened_is_reached_and_nothing_beside_it() {
        let rules = Rules::new(&["10.1.0.0/16".parse().expect("a network"), "::1/128".parse().expect("a network")]);
        for address in ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203", "::1"] {
            assert!(rules.check(address.parse().expect(address)).is_ok(), "{address}");
        }
        for address in ["10.2.0.1", "127.0.0.1", "::2"] {
            assert!(rules.check(address.parse().expect(address)).is_err(), "{address}");
        }
    }

    proptest! {
        /// However a special address is dressed up, it stays one.
        #[test]
        fn no_spelling_of_an_inside_address_gets_through(bits: u32) {
            let v4 = Ipv4Addr::from_bits(bits);
            let inside = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast() || v4.is_broadcast()
                || v4.is_documentation() || v4.is_unspecified() || v4.octets()[0] == 0 || v4.octets()[0] >= 240;
            let [a, b, c, d] = v4.octets();
            let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            let rules = Rules::new(&[]);
            let plain = rules.check(v4.into()).is_ok();
            prop_assert!(!(inside && plain));
            for dressed in [v4.to_ipv6_mapped(), Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low)] {
                prop_assert_eq!(rules.check(dressed.into()).is_ok(), plain);
            }
            let tunnels = [
                Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
                Ipv6Addr::new(0x2001, 0, high, low, 0, 0, !high, !low),
            ];
            for tunnel in tunnels {
                prop_assert!(rules.check(tunnel.into()).is_err());
            }
        }

        #[test]
        fn only_global_unicast_is_reached_over_ipv6(bits: u128) {
            let v6 = Ipv6Addr::from_bits(bits);
            if Rules::new(&[]).check(v6.into()).is_ok() {
                let own = v6.is_loopback() || v6.is_multicast() || v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_unspecified();
                prop_assert!(!own);
            }
        }
    }
}
