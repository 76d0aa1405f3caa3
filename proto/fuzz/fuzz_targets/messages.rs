//! Any payload of any method is handled or refused, never with a panic; what decodes, decodes to the same again.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use prost::Message;
use qpq_proto::services::{
    Account, Auth, Blobs, Channels, Delivery, Devices, Federation, Groups, KeyTransparency, Keys, Mesh,
    Moderation, Owner, Peers, Recovery, Users,
};
use qpq_proto::{Failure, Method, Status, dispatch, v1};

fuzz_target!(|input: (u16, &[u8])| {
    let (number, payload) = input;
    let payload = Bytes::copy_from_slice(payload);
    round_trip::<v1::Content>(&payload);
    round_trip::<v1::Introduction>(&payload);
    round_trip::<v1::Change>(&payload);
    round_trip::<v1::Parcel>(&payload);
    let method = Method::ALL[usize::from(number) % Method::ALL.len()];
    let failure = dispatch(&mut Nothing, &mut (), method, payload.clone()).unwrap_err();
    assert!(matches!(failure.status, Status::BadRequest | Status::Forbidden));
    for status in Status::ALL {
        let failure = Failure::from_detail(status, &payload);
        assert_ne!(failure.status, Status::Ok);
        assert_eq!(Failure::from_detail(failure.status, &failure.to_detail()).message, failure.message);
    }
});

fn round_trip<M: Message + Default + PartialEq>(payload: &Bytes) {
    if let Ok(message) = M::decode(payload.clone()) {
        assert!(M::decode(message.encode_to_vec().as_slice()).as_ref() == Ok(&message));
    }
}

/// A node that offers nothing: every payload that decodes is answered with `Forbidden`.
struct Nothing;

impl Account<()> for Nothing {}
impl Auth<()> for Nothing {}
impl Blobs<()> for Nothing {}
impl Channels<()> for Nothing {}
impl Delivery<()> for Nothing {}
impl Devices<()> for Nothing {}
impl Federation<()> for Nothing {}
impl Groups<()> for Nothing {}
impl KeyTransparency<()> for Nothing {}
impl Keys<()> for Nothing {}
impl Moderation<()> for Nothing {}
impl Owner<()> for Nothing {}
impl Peers<()> for Nothing {}
impl Mesh<()> for Nothing {}
impl Recovery<()> for Nothing {}
impl Users<()> for Nothing {}
