//! What travels on a segment.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

const ETHERNET_BYTES: usize = 14;
const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];
const IPV6_HEADER_BYTES: usize = 40;
const UDP: u8 = 17;
const TCP: u8 = 6;
const TCP_HEADER_BYTES: usize = 20;
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
    pub source: SocketAddr,
    /// Whom it is for.
    pub destination: SocketAddr,
    /// What it says.
    pub payload: &'a [u8],
}

impl Frame {
    /// The datagram in it, if it is one that is not in fragments.
    pub fn datagram(&self) -> Option<Datagram<'_>> {
        let Udp { header, addresses: [source, destination] } = Udp::in_frame(&self.bytes)?;
        let word = |at: usize| Some(u16::from_be_bytes(self.bytes.get(at..at + 2)?.try_into().ok()?));
        let end = header.start + usize::from(word(header.start + 4)?);
        Some(Datagram {
            source: SocketAddr::new(ip(self.bytes.get(source)?)?, word(header.start)?),
            destination: SocketAddr::new(ip(self.bytes.get(destination)?)?, word(header.start + 2)?),
            payload: self.bytes.get(header.end..end)?,
        })
    }

    /// Whether it is for a group of hosts but not for all, as questions of multicast DNS are.
    pub(super) fn is_multicast(&self) -> bool {
        self.bytes.first().is_some_and(|first| first & 1 == 1) && !self.bytes.starts_with(&[0xff; 6])
    }

    /// Makes the checksum of a UDP datagram right: none over IPv4, where it may lack it, and a true one over IPv6, where
    /// it must have it (RFC 8200, section 8.1). Likewise that of a TCP segment over IPv4, which has one always.
    ///
    /// The kernel leaves it to the network card to compute, and a virtual card leaves it undone.
    pub(super) fn mend_checksum(&mut self) {
        if let Some(segment) = tcp_segment(&self.bytes) {
            return self.mend_tcp(segment);
        }
        let Some(Udp { header, addresses }) = Udp::in_frame(&self.bytes) else { return };
        let checksum = header.start + 6..header.end;
        self.bytes[checksum.clone()].fill(0);
        if addresses[0].len() == 4 {
            return;
        }
        let length =
            usize::from(u16::from_be_bytes([self.bytes[header.start + 4], self.bytes[header.start + 5]]));
        let Some(datagram) = self.bytes.get(header.start..header.start + length) else { return };
        let [source, destination] = addresses.map(|address| ones_sum(&self.bytes[address]));
        let sum = source + destination + u64::from(UDP) + length as u64 + ones_sum(datagram);
        self.bytes[checksum].copy_from_slice(&folded(sum).to_be_bytes());
    }

    fn mend_tcp(&mut self, segment: Range<usize>) {
        const CHECKSUM: Range<usize> = 16..18;
        self.bytes[segment.clone()][CHECKSUM].fill(0);
        let addresses = &self.bytes[ETHERNET_BYTES + 12..ETHERNET_BYTES + 20];
        let sum = ones_sum(addresses) + u64::from(TCP) + segment.len() as u64;
        let sum = sum + ones_sum(&self.bytes[segment.clone()]);
        self.bytes[segment][CHECKSUM].copy_from_slice(&folded(sum).to_be_bytes());
    }
}

/// Where the TCP segment lies in a frame of IPv4, if it is a whole one.
fn tcp_segment(frame: &[u8]) -> Option<Range<usize>> {
    let packet = frame.get(ETHERNET_BYTES..)?;
    let is_whole = |flags: &[u8]| flags[0] & 0x3f == 0 && flags[1] == 0;
    if frame[12..14] != IPV4 || packet.get(9) != Some(&TCP) || !is_whole(packet.get(6..8)?) {
        return None;
    }
    let header = usize::from(packet[0] & 15) * 4;
    let total = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
    let segment = ETHERNET_BYTES + header..ETHERNET_BYTES + total;
    (header >= 20 && segment.len() >= TCP_HEADER_BYTES && segment.end <= frame.len()).then_some(segment)
}

/// Where the parts of a UDP datagram lie in a frame.
struct Udp {
    header: Range<usize>,
    /// Source and destination.
    addresses: [Range<usize>; 2],
}

impl Udp {
    fn in_frame(frame: &[u8]) -> Option<Self> {
        let packet = frame.get(ETHERNET_BYTES..)?;
        let kind = [frame[12], frame[13]];
        let is_fragment = |flags: &[u8]| flags[0] & 0x3f != 0 || flags[1] != 0;
        let (start, first, bytes) = match kind {
            IPV4 if packet.get(9) == Some(&UDP) && !is_fragment(packet.get(6..8)?) => {
                (usize::from(packet[0] & 15) * 4, 12, 4)
            }
            // A fragment has a header of its own in between, as has what is for routers on the way.
            IPV6 if packet.get(6) == Some(&UDP) => (IPV6_HEADER_BYTES, 8, 16),
            _ => return None,
        };
        let (start, first) = (ETHERNET_BYTES + start, ETHERNET_BYTES + first);
        let header = start..start + UDP_HEADER_BYTES;
        let addresses = [first..first + bytes, first + bytes..first + 2 * bytes];
        (frame.len() >= header.end).then_some(Self { header, addresses })
    }
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    v4.or_else(|| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from))
}

/// The sum of 16-bit words, the last one filled up with a zero (RFC 1071).
fn ones_sum(bytes: &[u8]) -> u64 {
    let word = |pair: &[u8]| u64::from(pair[0]) << 8 | u64::from(pair.get(1).copied().unwrap_or_default());
    bytes.chunks(2).map(word).sum()
}

/// The checksum that such a sum gives; zero would mean that there is none.
fn folded(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    match !u16::try_from(sum).expect("folded") {
        0 => 0xffff,
        checksum => checksum,
    }
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
            short.mend_checksum();
        }
    }

    #[test]
    fn the_checksum_and_nothing_else_is_dropped() {
        let original = frame([2; 6], 0, UDP);
        let mut dropped = original.clone();
        dropped.mend_checksum();
        let changed = (0..original.bytes.len()).filter(|at| original.bytes[*at] != dropped.bytes[*at]);
        assert_eq!(changed.collect::<Vec<_>>(), [40, 41]);
    }

    #[test]
    fn the_checksum_of_a_segment_is_computed() {
        let mut frame = frame([2; 6], 0, TCP);
        // One that is long enough, with bytes after it that are not of it.
        frame.bytes[16..18].copy_from_slice(&43_u16.to_be_bytes());
        frame.bytes.resize(60, 7);
        frame.mend_checksum();
        let checksum = frame.bytes[50..52].to_vec();
        assert_ne!(checksum, [7, 7]);
        // Summed with its checksum, the segment and its addresses give nothing but ones (RFC 9293, section 3.1).
        let sum = ones_sum(&frame.bytes[26..34]) + 6 + 23 + ones_sum(&frame.bytes[34..57]);
        assert_eq!(folded(sum), 0xffff);
        for length in 0..57 {
            let mut short = frame.clone();
            short.bytes.truncate(length);
            short.bytes.iter_mut().skip(50).for_each(|byte| *byte = 9);
            let before = short.bytes.clone();
            short.mend_checksum();
            assert_eq!(short.bytes, before, "{length} bytes are no whole segment");
        }
    }

    #[test]
    fn over_ipv6_the_checksum_is_computed() {
        let mut frame = frame_v6(b"abc");
        let datagram = frame.datagram().unwrap();
        assert_eq!(datagram.source, "[fe80::1]:4433".parse().unwrap());
        assert_eq!(datagram.destination, "[ff02::fb]:5353".parse().unwrap());
        assert_eq!(datagram.payload, b"abc");
        frame.mend_checksum();
        // Computed by hand: the words of both addresses, length, protocol, ports, length again, and text.
        let sum = 0xfe80 + 1 + 0xff02 + 0xfb + 11 + 17 + 4433 + 5353 + 11 + 0x6162 + 0x6300_u64;
        assert_eq!(frame.bytes[60..62], folded(sum).to_be_bytes());
        let before = frame.bytes.clone();
        frame.mend_checksum();
        assert_eq!(frame.bytes, before, "what is right stays");
        for length in 0..frame.bytes.len() {
            let mut short = frame.clone();
            short.bytes.truncate(length);
            assert_eq!(short.datagram(), None, "{length} bytes");
            short.mend_checksum();
        }
    }

    fn frame_v6(payload: &[u8]) -> Frame {
        let length = 8 + u8::try_from(payload.len()).unwrap();
        let mut bytes = [[0x33, 0x33, 0, 0, 0, 0xfb], [2, 0, 0, 0, 0, 1]].concat();
        bytes.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, length, UDP, 255]);
        bytes.extend("fe80::1".parse::<std::net::Ipv6Addr>().unwrap().octets());
        bytes.extend("ff02::fb".parse::<std::net::Ipv6Addr>().unwrap().octets());
        bytes.extend([0x11, 0x51, 0x14, 0xe9, 0, length, 0xab, 0xcd]);
        bytes.extend(payload);
        Frame { from: "alice".to_owned(), bytes }
    }

    #[test]
    fn a_broadcast_is_no_multicast() {
        assert!(frame([1, 0, 0x5e, 0, 0, 0xfb], 0, UDP).is_multicast());
        assert!(!frame([0xff; 6], 0, UDP).is_multicast());
        assert!(!frame([2; 6], 0, UDP).is_multicast());
    }
}
