//! What travels on a segment.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::Range;

const ETHERNET_BYTES: usize = 14;
const IPV4: [u8; 2] = [0x08, 0x00];
const UDP: u8 = 17;
const UDP_HEADER_BYTES: usize = 8;

/// An Ethernet frame, as everybody on the segment hears it.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The name of the host that sent it.
    pub from: String,
    /// All of it, from the destination address on, without the check sequence.
    pub bytes: Vec<u8>,
}

/// The UDP datagram in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Who sent it.
    pub source: SocketAddrV4,
    /// Whom it is for.
    pub destination: SocketAddrV4,
    /// What it says.
    pub payload: &'a [u8],
}

impl Frame {
    /// The datagram in it, if it is one over IPv4 that is not in fragments.
    pub fn datagram(&self) -> Option<Datagram<'_>> {
        let udp = udp_header(&self.bytes)?;
        let address = |at: usize, port: usize| {
            let ip: [u8; 4] = self.bytes.get(at..at + 4)?.try_into().ok()?;
            let port: [u8; 2] = self.bytes.get(port..port + 2)?.try_into().ok()?;
            Some(SocketAddrV4::new(Ipv4Addr::from(ip), u16::from_be_bytes(port)))
        };
        let length: [u8; 2] = self.bytes.get(udp.start + 4..udp.start + 6)?.try_into().ok()?;
        let end = udp.start + usize::from(u16::from_be_bytes(length));
        Some(Datagram {
            source: address(ETHERNET_BYTES + 12, udp.start)?,
            destination: address(ETHERNET_BYTES + 16, udp.start + 2)?,
            payload: self.bytes.get(udp.end..end)?,
        })
    }

    /// Whether it is for a group of hosts but not for all, as questions of multicast DNS are.
    pub(super) fn is_multicast(&self) -> bool {
        self.bytes.first().is_some_and(|first| first & 1 == 1) && !self.bytes.starts_with(&[0xff; 6])
    }

    /// Removes the checksum of a UDP datagram, which over IPv4 it may lack.
    ///
    /// The kernel leaves it to the network card to compute, and a virtual card leaves it undone.
    pub(super) fn drop_checksum(&mut self) {
        let checksum = udp_header(&self.bytes).map(|udp| udp.start + 6..udp.end);
        if let Some(checksum) = checksum.and_then(|range| self.bytes.get_mut(range)) {
            checksum.fill(0);
        }
    }
}

/// Where the UDP header lies.
fn udp_header(frame: &[u8]) -> Option<Range<usize>> {
    let packet = frame.get(ETHERNET_BYTES..)?;
    let is_fragment = |flags: &[u8]| flags[0] & 0x3f != 0 || flags[1] != 0;
    if frame[12..ETHERNET_BYTES] != IPV4 || packet.get(9) != Some(&UDP) || is_fragment(packet.get(6..8)?) {
        return None;
    }
    let start = ETHERNET_BYTES + usize::from(packet[0] & 15) * 4;
    (frame.len() >= start + UDP_HEADER_BYTES).then_some(start..start + UDP_HEADER_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(destination: [u8; 6], flags: u8, protocol: u8) -> Frame {
        let mut bytes = destination.to_vec();
        bytes.extend([2, 0, 0, 0, 0, 1, 8, 0]);
        bytes.extend([0x45, 0, 0, 31, 0, 0, flags, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 224, 0, 0, 251]);
        bytes.extend([0x11, 0x51, 0x14, 0xe9, 0, 11, 0xab, 0xcd]);
        bytes.extend(b"abc and padding");
        Frame { from: "alice".to_owned(), bytes }
    }

    #[test]
    fn a_datagram_is_read_and_padding_is_not() {
        let frame = frame([1, 0, 0x5e, 0, 0, 0xfb], 0x40, UDP);
        let datagram = frame.datagram().unwrap();
        assert_eq!(datagram.source, "10.0.0.1:4433".parse().unwrap());
        assert_eq!(datagram.destination, "224.0.0.251:5353".parse().unwrap());
        assert_eq!(datagram.payload, b"abc");
    }

    #[test]
    fn what_is_no_whole_datagram_is_none() {
        assert_eq!(frame([0xff; 6], 0x20, UDP).datagram(), None, "a fragment");
        assert_eq!(frame([0xff; 6], 0, 6).datagram(), None, "TCP");
        for length in 0..45 {
            let mut short = frame([0xff; 6], 0, UDP);
            short.bytes.truncate(length);
            assert_eq!(short.datagram(), None, "{length} bytes");
            short.drop_checksum();
        }
    }

    #[test]
    fn the_checksum_and_nothing_else_is_dropped() {
        let original = frame([2; 6], 0, UDP);
        let mut dropped = original.clone();
        dropped.drop_checksum();
        let changed = (0..original.bytes.len()).filter(|at| original.bytes[*at] != dropped.bytes[*at]);
        assert_eq!(changed.collect::<Vec<_>>(), [40, 41]);
    }

    #[test]
    fn a_broadcast_is_no_multicast() {
        assert!(frame([1, 0, 0x5e, 0, 0, 0xfb], 0, UDP).is_multicast());
        assert!(!frame([0xff; 6], 0, UDP).is_multicast());
        assert!(!frame([2; 6], 0, UDP).is_multicast());
    }
}
