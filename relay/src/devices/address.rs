//! Which addresses a relay posts to when somebody else names them: none on its own network.
//!
//! A host that is a name may resolve to anything: whoever connects checks what it resolved to, with
//! [`is_public_address`], and connects to that very address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an endpoint is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EndpointError {
    #[error("an endpoint is an https address")]
    Scheme,
    #[error("an endpoint is written in visible ASCII characters, without quotes, backslashes and fragment")]
    Character,
    #[error("an endpoint has no user name and no password")]
    Credentials,
    #[error("an endpoint's host is a domain name or an IP address")]
    Host,
    #[error("an endpoint's port is a number from 1 to 65535")]
    Port,
    #[error("an endpoint's host is not on the public internet")]
    Private,
}

/// Checks the address of a UnifiedPush endpoint.
pub(crate) fn check_endpoint(endpoint: &[u8], allows_private: bool) -> Result<(), EndpointError> {
    let endpoint = std::str::from_utf8(endpoint).map_err(|_| EndpointError::Character)?;
    let is_fit = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'#' | b'<' | b'>');
    if !endpoint.bytes().all(is_fit) {
        return Err(EndpointError::Character);
    }
    let scheme = endpoint.get(..SCHEME.len()).filter(|scheme| scheme.eq_ignore_ascii_case(SCHEME));
    let rest = scheme.and_then(|_| endpoint.get(SCHEME.len()..)).ok_or(EndpointError::Scheme)?;
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(EndpointError::Credentials);
    }
    let (host, port) = split(authority)?;
    if !port.is_empty() && port.parse().unwrap_or(0_u16) == 0 {
        return Err(EndpointError::Port);
    }
    if is_public_host(host)? || allows_private { Ok(()) } else { Err(EndpointError::Private) }
}

/// Host and port; the port is empty if there is none.
fn split(authority: &str) -> Result<(&str, &str), EndpointError> {
    let end = match authority.starts_with('[') {
        true => authority.find(']').ok_or(EndpointError::Host)? + 1,
        false => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, rest) = authority.split_at(end);
    match rest.strip_prefix(':') {
        Some("") => Err(EndpointError::Port),
        Some(port) => Ok((host, port)),
        None if rest.is_empty() => Ok((host, "")),
        None => Err(EndpointError::Host),
    }
}

fn is_public_host(host: &str) -> Result<bool, EndpointError> {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        let address: Ipv6Addr = address.parse().map_err(|_| EndpointError::Host)?;
        return Ok(is_public_address(address.into()));
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Ok(is_public_address(address.into()));
    }
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    // What ends in a number is an address in a form that some resolvers take (0x7f.1, 2130706433).
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    if name.len() > 253 || !name.split('.').all(is_label) || is_number {
        return Err(EndpointError::Host);
    }
    Ok(!matches!(last, "localhost" | "local" | "internal" | "onion") && name.contains('.'))
}

/// Whether an address is one of the public internet: no loopback, private, link-local, shared, multicast, documentation
/// or otherwise special one (RFC 6890), nor an IPv6 address that stands for such an IPv4 address.
#[must_use]
pub fn is_public_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let is_special = match address.octets() {
        [0 | 10 | 127 | 240..=255, ..] | [192, 0, 0, _] => true,
        // Shared by carriers (RFC 6598), benchmarking (RFC 2544), relays from IPv6 (RFC 7526).
        [100, 64..=127, ..] | [198, 18 | 19, ..] | [192, 88, 99, _] => true,
        _ => false,
    };
    !(is_special
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // IPv4-mapped; NAT64 (RFC 6052); 6to4 (RFC 3056).
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            is_public_v4(v4(high, low))
        }
        [0x2002, high, low, ..] => is_public_v4(v4(high, low)),
        // Teredo, ORCHID, benchmarking and others of 2001::/23; documentation.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // All other global unicast addresses lie in 2000::/3.
        [first, ..] => first >> 13 == 1,
    }
}

fn v4(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))
}

const SCHEME: &str = "https://";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_public_https_address() {
        for (endpoint, expected) in [
            ("https://push.example.org/up?id=1", Ok(())),
            ("HTTPS://push.example.org:8443", Ok(())),
            ("https://push.example.org./x", Ok(())),
            ("https://9.9.9.9/x", Ok(())),
            ("https://[2620:fe::9]:443/x", Ok(())),
            ("http://push.example.org/", Err(EndpointError::Scheme)),
            ("ftp:", Err(EndpointError::Scheme)),
            ("", Err(EndpointError::Scheme)),
            ("https://push.example.org/a b", Err(EndpointError::Character)),
            ("https://push.example.org/\u{e9}", Err(EndpointError::Character)),
            ("https://push.example.org/#x", Err(EndpointError::Character)),
            ("https://push.example.org\\@127.0.0.1/", Err(EndpointError::Character)),
            ("https://me@push.example.org/", Err(EndpointError::Credentials)),
            ("https://me:secret@push.example.org/", Err(EndpointError::Credentials)),
            ("https://", Err(EndpointError::Host)),
            ("https:///x", Err(EndpointError::Host)),
            ("https://a..b/", Err(EndpointError::Host)),
            ("https://[::1/", Err(EndpointError::Host)),
            ("https://[::1]x/", Err(EndpointError::Host)),
            ("https://2130706433/", Err(EndpointError::Host)),
            ("https://0x7f.0x1/", Err(EndpointError::Host)),
            ("https://127.1/", Err(EndpointError::Host)),
            ("https://push.example.org:/", Err(EndpointError::Port)),
            ("https://push.example.org:0/", Err(EndpointError::Port)),
            ("https://push.example.org:65536/", Err(EndpointError::Port)),
            ("https://localhost/", Err(EndpointError::Private)),
            ("https://a.localhost/", Err(EndpointError::Private)),
            ("https://router.local/", Err(EndpointError::Private)),
            ("https://intranet/", Err(EndpointError::Private)),
            ("https://10.1.2.3/", Err(EndpointError::Private)),
            ("https://[::ffff:10.1.2.3]/", Err(EndpointError::Private)),
        ] {
            assert_eq!(check_endpoint(endpoint.as_bytes(), false), expected, "{endpoint}");
        }
        assert_eq!(check_endpoint(b"https://10.1.2.3/", true), Ok(()));
        assert_eq!(check_endpoint(b"https://localhost:8443/", true), Ok(()));
        assert_eq!(check_endpoint(b"http://10.1.2.3/", true), Err(EndpointError::Scheme));
        assert_eq!(check_endpoint(&[0xff], true), Err(EndpointError::Character));
    }

    #[test]
    fn addresses_that_are_not_everybodys_are_not_public() {
        for address in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public_address(address.parse().unwrap()), "{address}");
        }
        for address in [
            "9.9.9.9",
            "100.63.0.1",
            "172.32.0.1",
            "::ffff:9.9.9.9",
            "64:ff9b::909:909",
            "2620:fe::9",
            "2a00:1450::1",
            "2002:909:909::1",
        ] {
            assert!(is_public_address(address.parse().unwrap()), "{address}");
        }
    }
}
