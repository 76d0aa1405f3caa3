use std::net::SocketAddr;

use proptest::prelude::*;
use qpq_proto::ids::NodeKey;
use simple_dns::rdata::{A, AAAA, PTR, SRV};

use super::*;
use crate::discovery::announcement::{full_name, instance_name};

const ID: u16 = 0x1234;
const INTERFACE: u32 = 5;

fn node() -> NodeKey {
    NodeKey::from_bytes([7; 32])
}

fn record<'a>(name: &'a str, data: RData<'a>) -> ResourceRecord<'a> {
    ResourceRecord::new(Name::new_unchecked(name), CLASS::IN, 10, data)
}

/// The answer of a node to the question of this id.
pub(in crate::discovery) fn answer_to(id: u16) -> Vec<u8> {
    answer(|packet| packet.set_id(id))
}

/// The answer of a node, as a responder puts it together, after a change.
fn answer(change: impl FnOnce(&mut Packet)) -> Vec<u8> {
    let (key, instance, host) = (node(), full_name(node()), format!("{}.local", instance_name(node())));
    let properties = [format!("k={key}"), "p4=4000".to_owned(), "p6=6000".to_owned()];
    let name = |text| Name::new_unchecked(text);
    let mut text = TXT::new();
    for property in &properties {
        text.add_string(property).unwrap();
    }
    let service = SRV { priority: 0, weight: 0, port: 4000, target: name(&host) };
    let mut packet = Packet::new_reply(ID);
    packet.answers.push(record(SERVICE_TYPE, RData::PTR(PTR(name(&instance)))));
    packet.additional_records = vec![
        record(&instance, RData::SRV(service)),
        record(&instance, RData::TXT(text)),
        record(&host, RData::A(A { address: 0xc000_0201 })),
        record(&host, RData::AAAA(AAAA { address: 0xfe80 << 112 | 1 })),
        record("other.local", RData::A(A { address: 0xc000_0202 })),
    ];
    change(&mut packet);
    packet.build_bytes_vec_compressed().unwrap()
}

fn read(bytes: &[u8]) -> Vec<Heard> {
    read_answer(bytes, ID, INTERFACE)
}

#[test]
fn a_question_asks_for_the_service() {
    let question = question(ID);
    let packet = Packet::parse(&question).unwrap();
    assert_eq!((packet.id(), packet.has_flags(PacketFlag::RESPONSE)), (ID, false));
    let [asked] = packet.questions.as_slice() else { panic!("{packet:?}") };
    assert!(is(&asked.qname, SERVICE_TYPE) && asked.qtype == QTYPE::TYPE(TYPE::PTR));
    assert!(!asked.unicast_response, "that bit is for those who ask from the port of mDNS");
    assert_eq!(read(&question), []);
}

#[test]
fn a_nodes_answer_is_read() {
    let addresses = vec!["192.0.2.1:4000".parse::<SocketAddr>().unwrap()];
    assert_eq!(read(&answer(|_| ())), [Heard { node: node(), addresses }]);
}

#[test]
fn link_local_addresses_are_those_of_the_interface_where_the_answer_came_in() {
    let heard = read(&answer(|packet| drop(packet.additional_records.remove(2))));
    assert_eq!(heard[0].addresses[0].to_string(), "[fe80::1%5]:6000");
}

#[test]
fn the_type_of_the_service_may_be_written_in_capitals() {
    let shouted = answer(|packet| packet.answers[0].name = Name::new_unchecked("_QuicProQuo._UDP.local"));
    assert_eq!(read(&shouted).len(), 1);
}

#[test]
fn what_is_not_an_answer_to_the_question_is_not_read() {
    type Change = fn(&mut Packet);
    let changes: [(&str, Change); 7] = [
        ("another id", |packet| packet.set_id(ID ^ 1)),
        ("a question", |packet| packet.remove_flags(PacketFlag::RESPONSE)),
        ("another service", |packet| packet.answers[0].name = Name::new_unchecked("_ipp._tcp.local")),
        ("a goodbye", |packet| packet.answers[0].ttl = 0),
        ("no host", |packet| drop(packet.additional_records.remove(0))),
        ("no key", |packet| drop(packet.additional_records.remove(1))),
        ("no address", |packet| packet.additional_records.truncate(2)),
    ];
    for (what, change) in changes {
        assert_eq!(read(&answer(change)), [], "{what}");
    }
}

#[test]
fn more_records_than_allowed_are_not_even_looked_at() {
    let long = answer(|packet| {
        let record = packet.additional_records[4].clone();
        packet.additional_records.resize(RECORDS_MAX, record);
    });
    assert_eq!(read(&long), []);
    let mut lying = answer(|_| ());
    lying[6..8].copy_from_slice(&u16::MAX.to_be_bytes());
    assert_eq!(read(&lying), []);
}

proptest! {
    #[test]
    fn garbage_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read(&bytes);
    }

    #[test]
    fn answers_with_errors_are_survived(
        errors in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        length in any::<prop::sample::Index>(),
    ) {
        let mut bytes = answer(|_| ());
        for (place, byte) in errors {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let length = length.index(bytes.len());
        for heard in read(&bytes).into_iter().chain(read(&bytes[..length])) {
            prop_assert!(!heard.addresses.is_empty());
        }
    }
}
