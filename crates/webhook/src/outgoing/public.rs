//! Which addresses belong to the internet, and to nobody's inside.
//!
//! Whoever may name a URL could otherwise have this machine ask its own services, those of its
//! network or its cloud's metadata.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use onboarding::PublicIpv4;

/// Whether anybody on the internet reaches the address as we do. What carries an IPv4 address in it
/// is judged by that one.
pub(super) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    ip.to_string().parse::<PublicIpv4>().is_ok()
}

/// Global unicast (`2000::/3`) without what is set apart in it, and what carries a public IPv4
/// address: the IANA special-purpose registry.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    let v4 =
        |high: u16, low: u16| is_public_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match (a, b) {
        // Mapped (::ffff:0:0/96) and translated by NAT64 (64:ff9b::/96).
        (0, 0) if [c, d, e, f] == [0, 0, 0, 0xffff] => v4(g, h),
        (0x64, 0xff9b) if [c, d, e, f] == [0, 0, 0, 0] => v4(g, h),
        // 6to4.
        (0x2002, _) => v4(b, c),
        // Protocols and tunnels, Teredo's among them (2001::/23), and documentation.
        (0x2001, ..0x200 | 0xdb8) | (0x3fff, ..0x1000) => false,
        (0x2000..0x4000, _) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last and the first addresses beside those that are set apart are among them.
    const PUBLIC: &str = "1.1.1.1 8.8.8.8 172.15.255.255 172.32.0.0 100.63.255.255 100.128.0.0 223.255.255.255 \
         2606:4700:4700::1111 2a00:1450:4001:81b::200e 2001:4860:4860::8888 ::ffff:8.8.8.8 \
         64:ff9b::8.8.8.8 2002:808:808::1 2001:200::1";

    const INSIDE: &str = "0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.254 \
         169.254.0.1 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.8 192.0.2.1 192.88.99.1 \
         192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 \
         239.255.255.255 240.0.0.1 255.255.255.255 :: ::1 ::7f00:1 ::808:808 ::ffff:127.0.0.1 \
         ::ffff:169.254.169.254 ::ffff:10.0.0.1 ::ffff:0:8.8.8.8 64:ff9b::10.0.0.1 \
         64:ff9b::169.254.169.254 64:ff9b:1::8.8.8.8 2002:a00:1::1 2002:7f00:1::1 \
         2002:a9fe:a9fe::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:20::1 \
         2001:1ff:ffff::1 2001:db8::1 3fff::1 3fff:fff::1 100::1 5f00::1 fc00::1 fd00:ec2::254 \
         fdff:ffff::1 fe80::1 fec0::1 ff02::1 4000::1";

    #[test]
    fn only_addresses_of_the_internet_are_public() {
        for (addresses, expected) in [(PUBLIC, true), (INSIDE, false)] {
            for address in addresses.split(' ') {
                assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
            }
        }
    }
}
