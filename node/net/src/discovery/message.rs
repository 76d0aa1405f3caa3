//! The question who is there, and the answers to it, as DNS messages (RFC 1035, RFC 6763 section 12.1).

use std::net::IpAddr;

use simple_dns::rdata::{RData, TXT};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, ResourceRecord, TYPE};

use super::announcement::{Heard, SERVICE_TYPE};

/// Longest message (RFC 6762, section 17), bytes.
pub(super) const BYTES_MAX: usize = 9_000;

/// Most records of one message. A node's answer has about six.
const RECORDS_MAX: usize = 64;

const HEADER_BYTES: usize = 12;

/// Asks for all instances of the service.
pub(super) fn question(id: u16) -> Vec<u8> {
    let mut packet = Packet::new_query(id);
    packet.questions.push(Question::new(
        Name::new_unchecked(SERVICE_TYPE),
        QTYPE::TYPE(TYPE::PTR),
        QCLASS::CLASS(CLASS::IN),
        false,
    ));
    packet.build_bytes_vec().expect("a name of four short labels can be encoded")
}

/// Reads the nodes out of an answer to the question of that id; none if it is not an answer to it. `interface` is where
/// the answer came in, which link-local addresses of IPv6 need.
pub(super) fn read_answer(bytes: &[u8], id: u16, interface: u32) -> Vec<Heard> {
    if records_announced(bytes).is_none_or(|records| records > RECORDS_MAX) {
        return Vec::new();
    }
    let Ok(packet) = Packet::parse(bytes) else { return Vec::new() };
    if packet.id() != id || !packet.has_flags(PacketFlag::RESPONSE) {
        return Vec::new();
    }
    let records: Vec<_> = packet.answers.iter().chain(&packet.additional_records).collect();
    let instances = packet.answers.iter().filter(|record| is(&record.name, SERVICE_TYPE));
    instances.filter_map(|record| read_instance(record, &records, interface)).collect()
}

/// The number of records and questions that the header announces, which the parser makes room for.
fn records_announced(bytes: &[u8]) -> Option<usize> {
    let counts = bytes.get(4..HEADER_BYTES)?;
    Some(counts.chunks_exact(2).map(|count| usize::from(u16::from_be_bytes([count[0], count[1]]))).sum())
}

/// Puts together what the records say about the instance to which a PTR record points.
fn read_instance(pointer: &ResourceRecord, records: &[&ResourceRecord], interface: u32) -> Option<Heard> {
    let RData::PTR(instance) = &pointer.rdata else { return None };
    // Such a record takes back what was announced.
    if pointer.ttl == 0 {
        return None;
    }
    let full_name = format!("{}.", instance.0);
    let of_instance = || records.iter().filter(|record| record.name == instance.0);
    let text = of_instance().find_map(|record| match &record.rdata {
        RData::TXT(text) => Some(text),
        _ => None,
    })?;
    let host = of_instance().find_map(|record| match &record.rdata {
        RData::SRV(service) => Some(&service.target),
        _ => None,
    })?;
    let addresses = records.iter().filter(|record| record.name == *host);
    let addresses = addresses.filter_map(|record| address(&record.rdata)).map(|address| (address, interface));
    Heard::new(&full_name, |name| property(text, name), addresses)
}

fn address(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(address) => Some(IpAddr::V4(address.address.into())),
        RData::AAAA(address) => Some(IpAddr::V6(address.address.into())),
        _ => None,
    }
}

fn property<'a>(text: &'a TXT, name: &str) -> Option<&'a str> {
    let mut properties = text.iter_raw();
    let (_, value) = properties.find(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes()))?;
    std::str::from_utf8(value?).ok()
}

/// Whether a name is this one, which ends in a dot.
fn is(name: &Name, expected: &str) -> bool {
    expected.strip_suffix('.').is_some_and(|expected| name.to_string().eq_ignore_ascii_case(expected))
}

#[cfg(test)]
pub(super) mod tests;
