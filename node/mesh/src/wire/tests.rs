use bytes::Bytes;
use proptest::prelude::*;
use prost::Message as _;
use qpq_proto::v1;

use super::*;
use crate::bundle::{Class, Kind, Label, SizeClass, Transit};

fn short() -> impl Strategy<Value = ShortId> {
    any::<[u8; 9]>().prop_map(ShortId::from_bytes)
}

fn secret() -> impl Strategy<Value = Secret> {
    any::<[u8; 32]>().prop_map(Secret::from_bytes)
}

fn hello() -> impl Strategy<Value = Hello> {
    let kind = prop_oneof![Just(NodeKind::Carrier), Just(NodeKind::Mobile), Just(NodeKind::Leaf)];
    let first = (any::<u32>(), kind, any::<[u8; 16]>(), any::<[u8; 16]>());
    let second =
        (any::<u64>(), any::<u64>(), any::<u8>(), any::<bool>(), prop::option::of(short()), any::<u32>());
    (first, second).prop_map(|((version, kind, instance, key_share), rest)| {
        let (held, free_bytes, accepts, is_volatile, reconcile_from, encounters) = rest;
        Hello {
            version,
            kind,
            instance,
            key_share,
            held,
            free_bytes,
            accepts,
            is_volatile,
            reconcile_from,
            encounters,
        }
    })
}

fn ranges_to(last: Option<ShortId>) -> impl Strategy<Value = Vec<Range>> {
    let content = prop_oneof![
        (any::<[u8; 16]>(), any::<u32>())
            .prop_map(|(hash, count)| RangeContent::Fingerprint(Fingerprint { hash, count })),
        prop::collection::vec(any::<u64>(), 1..20).prop_map(RangeContent::Ids),
        Just(RangeContent::Skip),
    ];
    let bounds = prop::collection::btree_set(any::<[u8; 9]>(), 1..10);
    (bounds, prop::collection::vec(content, 11)).prop_map(move |(bounds, contents)| {
        let bounds = bounds.into_iter().map(|bytes| Some(ShortId::from_bytes(bytes))).chain([last]);
        bounds.zip(contents).map(|(upper, content)| Range { upper, content }).collect()
    })
}

fn ranges() -> impl Strategy<Value = Ranges> {
    ranges_to(None).prop_map(|ranges| {
        let lower = ShortId::from_bytes([0; 9]);
        let ranges: Vec<_> = ranges.into_iter().filter(|range| range.upper != Some(lower)).collect();
        Ranges { lower, ranges }
    })
}

fn range_answer() -> impl Strategy<Value = RangeAnswer> {
    prop_oneof![
        Just(RangeAnswer::Done),
        Just(RangeAnswer::Empty),
        Just(RangeAnswer::Continue),
        prop::collection::vec(any::<u8>(), 0..9).prop_map(RangeAnswer::Lack),
        ranges_to(None).prop_map(RangeAnswer::Split),
    ]
}

fn bundle() -> impl Strategy<Value = Bundle> {
    let size = prop_oneof![Just(SizeClass::Kib1), Just(SizeClass::Kib4)];
    let fixed = (size, 0..4_usize, any::<[u8; 8]>(), any::<[u8; 16]>(), prop::option::of(any::<[u8; 32]>()));
    (fixed, 1..600_000_u32, any::<(u32, u8, u16)>(), any::<u8>()).prop_map(
        |(fixed, lifetime_max_s, transit, byte)| {
            let (size, class, salt, tag, settle) = fixed;
            let label = Label { class: Class::ALL[class], lifetime_max_s, salt, tag, settle };
            let mut bundle = Bundle::new(label, vec![byte; size.bytes()].into()).unwrap();
            bundle.transit = Transit { remaining_s: transit.0, hops_left: transit.1, copies: transit.2 };
            bundle
        },
    )
}

fn solution() -> impl Strategy<Value = Solution> {
    any::<([u8; 16], u64)>().prop_map(|(challenge, nonce)| Solution { challenge, nonce })
}

fn request() -> impl Strategy<Value = Request> {
    let item = (any::<[u8; 9]>(), any::<[u8; 8]>(), any::<[u8; 8]>(), any::<[bool; 2]>(), any::<u16>());
    let item = item.prop_map(|(mut short, salt, tag_start, [is_held, is_spare], ends_in)| {
        // The two highest bits are flags.
        short[0] &= 0x3f;
        OfferItem { short: ShortId::from_bytes(short), salt, tag_start, is_held, is_spare, ends_in }
    });
    let want = (short(), any::<u32>()).prop_map(|(short, number)| Want { short, number });
    let settlement = (short(), secret()).prop_map(|(short, secret)| Settlement { short, secret });
    prop_oneof![
        hello().prop_map(Request::Hello),
        ranges().prop_map(Request::Reconcile),
        prop::collection::vec(item, 0..40).prop_map(Request::Offer),
        (prop::collection::vec(bundle(), 0..6), prop::option::of(solution()))
            .prop_map(|(bundles, solution)| Request::Transfer(Transfer { bundles, solution })),
        prop::collection::vec(settlement, 0..40).prop_map(Request::Settle),
        prop::collection::vec(want, 0..40).prop_map(Request::Fetch),
    ]
}

fn refusal() -> impl Strategy<Value = Refusal> {
    prop_oneof![
        Just(Refusal::QuotaExceeded),
        Just(Refusal::NotAccepting),
        Just(Refusal::TooLarge),
        Just(Refusal::Expired),
        Just(Refusal::WorkNeeded),
    ]
}

fn verdicts<V: Clone + std::fmt::Debug>(one: impl Strategy<Value = V>) -> impl Strategy<Value = Verdicts<V>> {
    let challenge = any::<([u8; 16], u8)>().prop_map(|(bytes, bits)| Challenge { bytes, bits });
    (prop::collection::vec(one, 0..40), prop::option::of(challenge), any::<u32>())
        .prop_map(|(verdicts, challenge, retry_after_ms)| Verdicts { verdicts, challenge, retry_after_ms })
}

fn response() -> impl Strategy<Value = Response> {
    let offer = prop_oneof![
        Just(OfferVerdict::No),
        Just(OfferVerdict::Mine),
        Just(OfferVerdict::Carry),
        Just(OfferVerdict::Have),
        Just(OfferVerdict::Busy),
        secret().prop_map(OfferVerdict::Settled),
        refusal().prop_map(OfferVerdict::Refused),
    ];
    let transfer = prop_oneof![
        Just(TransferVerdict::Accepted(Durability::Durable)),
        Just(TransferVerdict::Accepted(Durability::Volatile)),
        Just(TransferVerdict::Have),
        secret().prop_map(TransferVerdict::Settled),
        refusal().prop_map(TransferVerdict::Refused),
    ];
    let fetch = prop_oneof![
        Just(FetchVerdict::Coming),
        Just(FetchVerdict::NotHeld),
        secret().prop_map(FetchVerdict::Settled),
    ];
    prop_oneof![
        hello().prop_map(Response::Hello),
        prop::collection::vec(range_answer(), 0..6).prop_map(Response::Reconcile),
        verdicts(offer).prop_map(Response::Offer),
        verdicts(transfer).prop_map(Response::Transfer),
        Just(Response::Settle),
        prop::collection::vec(fetch, 0..40).prop_map(Response::Fetch),
    ]
}

fn method_of(response: &Response) -> Method {
    match response {
        Response::Hello(_) => Method::MeshHello,
        Response::Reconcile(_) => Method::MeshReconcile,
        Response::Offer(_) => Method::MeshOffer,
        Response::Transfer(_) => Method::MeshTransfer,
        Response::Settle => Method::MeshSettle,
        Response::Fetch(_) => Method::MeshFetch,
    }
}

const METHODS: [Method; 6] = [
    Method::MeshHello,
    Method::MeshReconcile,
    Method::MeshOffer,
    Method::MeshTransfer,
    Method::MeshSettle,
    Method::MeshFetch,
];

proptest! {
    #[test]
    fn requests_round_trip_and_weigh_what_they_say(request in request()) {
        let payload = request.encode();
        prop_assert_eq!(payload.len(), request.encoded_len());
        prop_assert_eq!(Request::decode(request.method(), payload), Ok(request));
    }

    #[test]
    fn responses_round_trip_and_weigh_what_they_say(response in response()) {
        let payload = response.encode();
        prop_assert_eq!(payload.len(), response.encoded_len());
        prop_assert_eq!(Response::decode(method_of(&response), payload), Ok(response));
    }

    #[test]
    fn garbage_is_read_or_refused(payload: Vec<u8>, request in request(), at: prop::sample::Index, byte: u8) {
        let mut changed = request.encode().to_vec();
        if !changed.is_empty() {
            let at = at.index(changed.len());
            changed[at] = byte;
        }
        for method in METHODS {
            for payload in [&payload, &changed] {
                let _ = Request::decode(method, Bytes::copy_from_slice(payload));
                let _ = Response::decode(method, Bytes::copy_from_slice(payload));
            }
        }
    }

    /// A bundle changed on the way has another id: nobody can make it pass for the one it was.
    #[test]
    fn a_changed_bundle_is_another_one(bundle in bundle(), at: prop::sample::Index, bit in 0..8_u8) {
        let mut message = encode::bundle_to_proto(&bundle);
        let mut body = message.body.to_vec();
        let at = at.index(body.len());
        body[at] ^= 1_u8 << bit;
        message.body = body.into();
        let read = decode::bundle(message).unwrap();
        prop_assert_ne!(read.id(), bundle.id());
    }
}

fn refused(request: impl prost::Message, method: Method) -> &'static str {
    Request::decode(method, request.encode_to_vec().into()).unwrap_err().0
}

#[test]
fn ranges_must_grow() {
    let range = |byte: Option<u8>| v1::MeshRange {
        upper: byte.map(|byte| vec![byte; 9]).unwrap_or_default(),
        ..Default::default()
    };
    let request = |ranges: Vec<v1::MeshRange>| v1::MeshReconcileRequest { lower: vec![5; 9], ranges };
    for uppers in
        [vec![Some(4)], vec![Some(5)], vec![Some(7), Some(6)], vec![None, Some(8)], vec![None, None]]
    {
        let ranges = uppers.into_iter().map(range).collect();
        assert_eq!(refused(request(ranges), Method::MeshReconcile), "upper");
    }
    let many = (0..65).map(|byte| range(Some(byte + 6))).collect();
    assert_eq!(refused(request(many), Method::MeshReconcile), "ranges");
    let list = v1::MeshRange { ids: vec![0; 8 * 1_025], ..Default::default() };
    assert_eq!(refused(request(vec![list]), Method::MeshReconcile), "ids");
}

#[test]
fn lists_are_whole_and_bounded() {
    for (length, is_read) in [(0, true), (27, true), (28, false), (27 * 512, true), (27 * 513, false)] {
        let payload = v1::MeshOfferRequest { items: vec![1; length] }.encode_to_vec();
        assert_eq!(Request::decode(Method::MeshOffer, payload.into()).is_ok(), is_read, "{length} bytes");
    }
}

#[test]
fn malformed_bundles_are_refused_by_field() {
    let good = || v1::MeshBundle {
        kind: Kind { class: Class::Bulk, size: SizeClass::Kib1 }.to_byte().into(),
        lifetime_max_s: 60,
        salt: vec![1; 8],
        tag: vec![2; 16],
        settle: Vec::new(),
        body: vec![3; 1024].into(),
        remaining_s: 60,
        hops_left: 9,
        copies: 1,
    };
    assert!(decode::bundle(good()).is_ok());
    let big = decode::bundle(v1::MeshBundle { hops_left: 999, copies: 1 << 20, ..good() }).unwrap();
    assert_eq!((big.transit.hops_left, big.transit.copies), (u8::MAX, u16::MAX));
    for (bundle, field) in [
        (v1::MeshBundle { kind: 0x04, ..good() }, "kind"),
        (v1::MeshBundle { kind: 1 << 20, ..good() }, "kind"),
        (v1::MeshBundle { lifetime_max_s: 0, ..good() }, "lifetime_max_s"),
        (v1::MeshBundle { lifetime_max_s: 86_400 * 8, ..good() }, "lifetime_max_s"),
        (v1::MeshBundle { salt: vec![1; 9], ..good() }, "salt"),
        (v1::MeshBundle { tag: Vec::new(), ..good() }, "tag"),
        (v1::MeshBundle { settle: vec![1; 31], ..good() }, "settle"),
        (v1::MeshBundle { body: vec![3; 4096].into(), ..good() }, "body"),
        (v1::MeshBundle { body: Bytes::new(), ..good() }, "body"),
    ] {
        assert_eq!(decode::bundle(bundle), Err(WireError(field)));
    }
}

#[test]
fn secrets_and_verdicts_must_match() {
    let response = |verdicts: Vec<u8>, secrets| {
        let message = v1::MeshOfferResponse { verdicts, secrets, challenge: None, retry_after_ms: 0 };
        Response::decode(Method::MeshOffer, message.encode_to_vec().into())
    };
    assert!(response(vec![6, 1], vec![0; 32]).is_ok());
    for (codes, secrets) in [(vec![6], 0), (vec![6], 31), (vec![1], 32), (vec![6, 6], 32)] {
        assert_eq!(response(codes, vec![0; secrets]), Err(WireError("secrets")));
    }
    for code in [0, 7, 15, 16] {
        assert_eq!(response(vec![code], Vec::new()), Err(WireError("verdicts")), "{code}");
    }
    let Ok(Response::Offer(later)) = response(vec![99], Vec::new()) else {
        panic!("a reason of a newer node")
    };
    assert_eq!(later.verdicts, [OfferVerdict::Refused(Refusal::NotAccepting)]);
}
