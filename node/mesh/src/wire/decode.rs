//! From the messages of `mesh.proto` to structs. Whatever a neighbour sends, what comes out is well-formed.

use bytes::Bytes;
use prost::Message;
use qpq_proto::limits::{
    MESH_FETCH_ITEMS_MAX, MESH_OFFER_ITEMS_MAX, MESH_RECONCILE_IDS_MAX, MESH_RECONCILE_PARTS_MAX,
    MESH_RECONCILE_RANGES_MAX, MESH_SETTLE_ITEMS_MAX, MESH_TRANSFER_BUNDLES_MAX, MESH_TRANSFER_BYTES_MAX,
};
use qpq_proto::{Method, v1};

use super::encode::{HELD_BIT, REFUSAL_OFFSET, SPARE_BIT};
use super::{
    Durability, FetchVerdict, Fingerprint, Hello, NodeKind, OfferItem, OfferVerdict, Range, RangeAnswer,
    RangeContent, Ranges, Refusal, Request, Response, Settlement, Transfer, TransferVerdict, Verdicts, Want,
};
use crate::bundle::{Bundle, Kind, Label, Secret, ShortId, Transit};
use crate::work::{Challenge, Solution};

/// A neighbour sent what is no message of the mesh: names the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the field {0} is malformed")]
pub struct WireError(pub &'static str);

impl Request {
    /// Reads the payload of one of the mesh's methods.
    ///
    /// # Errors
    /// [`WireError`] where it is malformed, longer than allowed, or of another method.
    pub fn decode(method: Method, payload: Bytes) -> Result<Self, WireError> {
        Ok(match method {
            Method::MeshHello => Self::Hello(hello(read::<v1::MeshHelloRequest>(payload)?.caller)?),
            Method::MeshReconcile => Self::Reconcile(ranges(read(payload)?)?),
            Method::MeshOffer => {
                let items = read::<v1::MeshOfferRequest>(payload)?.items;
                Self::Offer(chunks(&items, MESH_OFFER_ITEMS_MAX, offer_item)?)
            }
            Method::MeshTransfer => Self::Transfer(transfer(read(payload)?)?),
            Method::MeshSettle => {
                let items = read::<v1::MeshSettleRequest>(payload)?.items;
                Self::Settle(chunks(&items, MESH_SETTLE_ITEMS_MAX, settlement)?)
            }
            Method::MeshFetch => {
                let items = read::<v1::MeshFetchRequest>(payload)?.items;
                Self::Fetch(chunks(&items, MESH_FETCH_ITEMS_MAX, want)?)
            }
            _ => return Err(WireError("method")),
        })
    }
}

impl Response {
    /// Reads the payload of the response to one of the mesh's methods.
    ///
    /// # Errors
    /// [`WireError`] where it is malformed, longer than allowed, or of another method.
    pub fn decode(method: Method, payload: Bytes) -> Result<Self, WireError> {
        Ok(match method {
            Method::MeshHello => Self::Hello(hello(read::<v1::MeshHelloResponse>(payload)?.called)?),
            Method::MeshReconcile => {
                let answers = read::<v1::MeshReconcileResponse>(payload)?.answers;
                at_most(answers.len(), MESH_RECONCILE_RANGES_MAX, "answers")?;
                Self::Reconcile(answers.into_iter().map(range_answer).collect::<Result<_, _>>()?)
            }
            Method::MeshOffer => {
                let v1::MeshOfferResponse { verdicts, secrets, challenge, retry_after_ms } = read(payload)?;
                at_most(verdicts.len(), MESH_OFFER_ITEMS_MAX, "verdicts")?;
                let verdicts = coded(&verdicts, &secrets, offer_verdict)?;
                Self::Offer(Verdicts {
                    verdicts,
                    challenge: optional(challenge, self::challenge)?,
                    retry_after_ms,
                })
            }
            Method::MeshTransfer => {
                let v1::MeshTransferResponse { verdicts, secrets, challenge, retry_after_ms } =
                    read(payload)?;
                at_most(verdicts.len(), MESH_TRANSFER_BUNDLES_MAX, "verdicts")?;
                let verdicts = coded(&verdicts, &secrets, transfer_verdict)?;
                Self::Transfer(Verdicts {
                    verdicts,
                    challenge: optional(challenge, self::challenge)?,
                    retry_after_ms,
                })
            }
            Method::MeshSettle => {
                read::<v1::MeshSettleResponse>(payload)?;
                Self::Settle
            }
            Method::MeshFetch => {
                let v1::MeshFetchResponse { verdicts, secrets } = read(payload)?;
                at_most(verdicts.len(), MESH_FETCH_ITEMS_MAX, "verdicts")?;
                Self::Fetch(coded(&verdicts, &secrets, fetch_verdict)?)
            }
            _ => return Err(WireError("method")),
        })
    }
}

fn hello(neighbour: Option<v1::MeshNeighbour>) -> Result<Hello, WireError> {
    let neighbour = neighbour.ok_or(WireError("neighbour"))?;
    let kind = match neighbour.kind() {
        v1::MeshKind::Carrier => NodeKind::Carrier,
        v1::MeshKind::Mobile => NodeKind::Mobile,
        v1::MeshKind::Leaf => NodeKind::Leaf,
        v1::MeshKind::Unspecified => return Err(WireError("kind")),
    };
    Ok(Hello {
        version: neighbour.version,
        kind,
        instance: array(&neighbour.instance, "instance")?,
        key_share: array(&neighbour.key_share, "key_share")?,
        held: neighbour.held,
        free_bytes: neighbour.free_bytes,
        accepts: u8::try_from(neighbour.accepts).map_err(|_| WireError("accepts"))?,
        is_volatile: neighbour.volatile,
        reconcile_from: bound(&neighbour.reconcile_from, "reconcile_from")?,
        encounters: neighbour.encounters,
    })
}

fn ranges(request: v1::MeshReconcileRequest) -> Result<Ranges, WireError> {
    at_most(request.ranges.len(), MESH_RECONCILE_RANGES_MAX, "ranges")?;
    let lower = ShortId::from_bytes(array(&request.lower, "lower")?);
    let listed: usize = request.ranges.iter().map(|range| range.ids.len() / 8).sum();
    at_most(listed, MESH_RECONCILE_IDS_MAX, "ids")?;
    let ranges = request.ranges.into_iter().map(range).collect::<Result<Vec<_>, _>>()?;
    ascending(Some(lower), &ranges)?;
    Ok(Ranges { lower, ranges })
}

/// Bounds must grow, and only the last range may have none.
fn ascending(lower: Option<ShortId>, ranges: &[Range]) -> Result<(), WireError> {
    let mut last = lower;
    for (index, range) in ranges.iter().enumerate() {
        match range.upper {
            Some(upper) if last.is_none_or(|last| last < upper) => last = Some(upper),
            None if index + 1 == ranges.len() => {}
            _ => return Err(WireError("upper")),
        }
    }
    Ok(())
}

fn range(range: v1::MeshRange) -> Result<Range, WireError> {
    let upper = bound(&range.upper, "upper")?;
    if range.fingerprint.is_empty() {
        let ids = chunks(&range.ids, MESH_RECONCILE_IDS_MAX, |bytes: &[u8; 8]| u64::from_be_bytes(*bytes))?;
        let content = if ids.is_empty() { RangeContent::Skip } else { RangeContent::Ids(ids) };
        return Ok(Range { upper, content });
    }
    let hash = array(&range.fingerprint, "fingerprint")?;
    Ok(Range { upper, content: RangeContent::Fingerprint(Fingerprint { hash, count: range.count }) })
}

fn range_answer(answer: v1::MeshRangeAnswer) -> Result<RangeAnswer, WireError> {
    at_most(answer.lack.len(), MESH_RECONCILE_IDS_MAX / 8, "lack")?;
    Ok(match answer.outcome() {
        v1::MeshRangeOutcome::Unspecified => return Err(WireError("outcome")),
        v1::MeshRangeOutcome::Done => RangeAnswer::Done,
        v1::MeshRangeOutcome::Lack => RangeAnswer::Lack(answer.lack),
        v1::MeshRangeOutcome::Empty => RangeAnswer::Empty,
        v1::MeshRangeOutcome::Continue => RangeAnswer::Continue,
        v1::MeshRangeOutcome::Split => {
            at_most(answer.parts.len(), MESH_RECONCILE_PARTS_MAX, "parts")?;
            let parts = answer.parts.into_iter().map(range).collect::<Result<Vec<_>, _>>()?;
            ascending(None, &parts)?;
            RangeAnswer::Split(parts)
        }
    })
}

fn transfer(request: v1::MeshTransferRequest) -> Result<Transfer, WireError> {
    at_most(request.bundles.len(), MESH_TRANSFER_BUNDLES_MAX, "bundles")?;
    let bytes: usize = request.bundles.iter().map(|bundle| bundle.body.len()).sum();
    at_most(bytes, MESH_TRANSFER_BYTES_MAX, "bundles")?;
    Ok(Transfer {
        bundles: request.bundles.into_iter().map(bundle).collect::<Result<_, _>>()?,
        solution: optional(request.solution, |solution| {
            Ok(Solution { challenge: array(&solution.challenge, "challenge")?, nonce: solution.nonce })
        })?,
    })
}

/// Reads a bundle and computes its id.
pub(crate) fn bundle(bundle: v1::MeshBundle) -> Result<Bundle, WireError> {
    let kind = u8::try_from(bundle.kind).ok().and_then(Kind::from_byte).ok_or(WireError("kind"))?;
    let label = Label {
        class: kind.class,
        lifetime_max_s: bundle.lifetime_max_s,
        salt: array(&bundle.salt, "salt")?,
        tag: array(&bundle.tag, "tag")?,
        settle: if bundle.settle.is_empty() { None } else { Some(array(&bundle.settle, "settle")?) },
    };
    if bundle.body.len() != kind.size.bytes() {
        return Err(WireError("body"));
    }
    let mut read = Bundle::new(label, bundle.body).map_err(|_| WireError("lifetime_max_s"))?;
    read.transit = Transit {
        remaining_s: bundle.remaining_s,
        hops_left: u8::try_from(bundle.hops_left).unwrap_or(u8::MAX),
        copies: u16::try_from(bundle.copies).unwrap_or(u16::MAX),
    };
    Ok(read)
}

fn challenge(challenge: v1::MeshChallenge) -> Result<Challenge, WireError> {
    let bits = u8::try_from(challenge.bits).map_err(|_| WireError("bits"))?;
    Ok(Challenge { bytes: array(&challenge.challenge, "challenge")?, bits })
}

fn offer_item(bytes: &[u8; OfferItem::LENGTH_BYTES]) -> OfferItem {
    let (mut short, mut salt, mut tag_start) = ([0; 9], [0; 8], [0; 8]);
    short.copy_from_slice(&bytes[..9]);
    let (is_spare, is_held) = (short[0] & SPARE_BIT != 0, short[0] & HELD_BIT != 0);
    short[0] &= !(SPARE_BIT | HELD_BIT);
    salt.copy_from_slice(&bytes[9..17]);
    tag_start.copy_from_slice(&bytes[17..25]);
    let ends_in = u16::from_be_bytes([bytes[25], bytes[26]]);
    OfferItem { short: ShortId::from_bytes(short), salt, tag_start, is_held, is_spare, ends_in }
}

fn want(bytes: &[u8; Want::LENGTH_BYTES]) -> Want {
    let (mut short, mut number) = ([0; 9], [0; 4]);
    short.copy_from_slice(&bytes[..9]);
    number.copy_from_slice(&bytes[9..]);
    Want { short: ShortId::from_bytes(short), number: u32::from_be_bytes(number) }
}

fn settlement(bytes: &[u8; Settlement::LENGTH_BYTES]) -> Settlement {
    let (mut short, mut secret) = ([0; 9], [0; 32]);
    short.copy_from_slice(&bytes[..9]);
    secret.copy_from_slice(&bytes[9..]);
    Settlement { short: ShortId::from_bytes(short), secret: Secret::from_bytes(secret) }
}

fn offer_verdict(code: u8, secrets: &mut Secrets<'_>) -> Result<OfferVerdict, WireError> {
    Ok(match code {
        1 => OfferVerdict::No,
        2 => OfferVerdict::Mine,
        3 => OfferVerdict::Carry,
        4 => OfferVerdict::Have,
        5 => OfferVerdict::Busy,
        6 => OfferVerdict::Settled(secrets.next()?),
        code => OfferVerdict::Refused(refusal(code)?),
    })
}

fn transfer_verdict(code: u8, secrets: &mut Secrets<'_>) -> Result<TransferVerdict, WireError> {
    Ok(match code {
        1 => TransferVerdict::Accepted(Durability::Durable),
        2 => TransferVerdict::Accepted(Durability::Volatile),
        3 => TransferVerdict::Have,
        4 => TransferVerdict::Settled(secrets.next()?),
        code => TransferVerdict::Refused(refusal(code)?),
    })
}

fn fetch_verdict(code: u8, secrets: &mut Secrets<'_>) -> Result<FetchVerdict, WireError> {
    Ok(match code {
        1 => FetchVerdict::Coming,
        2 => FetchVerdict::NotHeld,
        3 => FetchVerdict::Settled(secrets.next()?),
        _ => return Err(WireError("verdicts")),
    })
}

fn refusal(code: u8) -> Result<Refusal, WireError> {
    let number = code.checked_sub(REFUSAL_OFFSET).ok_or(WireError("verdicts"))?;
    match v1::MeshRefusal::try_from(i32::from(number)) {
        Ok(v1::MeshRefusal::QuotaExceeded) => Ok(Refusal::QuotaExceeded),
        Ok(v1::MeshRefusal::TooLarge) => Ok(Refusal::TooLarge),
        Ok(v1::MeshRefusal::Expired) => Ok(Refusal::Expired),
        Ok(v1::MeshRefusal::WorkNeeded) => Ok(Refusal::WorkNeeded),
        Ok(v1::MeshRefusal::Unspecified) => Err(WireError("verdicts")),
        // A reason that a newer node gives is a refusal all the same.
        Ok(v1::MeshRefusal::NotAccepting) | Err(_) => Ok(Refusal::NotAccepting),
    }
}

/// Verdicts, with the secrets of those that have one.
fn coded<V>(
    codes: &[u8],
    secrets: &[u8],
    verdict: impl Fn(u8, &mut Secrets<'_>) -> Result<V, WireError>,
) -> Result<Vec<V>, WireError> {
    let mut secrets = Secrets(secrets);
    let verdicts = codes.iter().map(|code| verdict(*code, &mut secrets)).collect::<Result<_, _>>()?;
    if secrets.0.is_empty() { Ok(verdicts) } else { Err(WireError("secrets")) }
}

struct Secrets<'a>(&'a [u8]);

impl Secrets<'_> {
    fn next(&mut self) -> Result<Secret, WireError> {
        let (first, rest) = self.0.split_first_chunk::<32>().ok_or(WireError("secrets"))?;
        self.0 = rest;
        Ok(Secret::from_bytes(*first))
    }
}

fn read<M: Message + Default>(payload: Bytes) -> Result<M, WireError> {
    M::decode(payload).map_err(|_| WireError("payload"))
}

fn at_most(count: usize, most: usize, field: &'static str) -> Result<(), WireError> {
    if count <= most { Ok(()) } else { Err(WireError(field)) }
}

fn chunks<T, const N: usize>(
    bytes: &[u8],
    most: usize,
    read: impl Fn(&[u8; N]) -> T,
) -> Result<Vec<T>, WireError> {
    let (items, rest) = bytes.as_chunks::<N>();
    if !rest.is_empty() || items.len() > most {
        return Err(WireError("items"));
    }
    Ok(items.iter().map(read).collect())
}

fn bound(bytes: &[u8], field: &'static str) -> Result<Option<ShortId>, WireError> {
    if bytes.is_empty() { Ok(None) } else { Ok(Some(ShortId::from_bytes(array(bytes, field)?))) }
}

fn optional<T, U>(
    value: Option<T>,
    read: impl Fn(T) -> Result<U, WireError>,
) -> Result<Option<U>, WireError> {
    value.map(read).transpose()
}

fn array<const N: usize>(bytes: &[u8], field: &'static str) -> Result<[u8; N], WireError> {
    bytes.try_into().map_err(|_| WireError(field))
}
