//! From the messages of `mesh.proto` to structs. Whatever a neighbour sends, what comes out is well-formed.

use bytes::Bytes;
use prost::Message;
use qpq_proto::limits::{
    MESH_FETCH_ITEMS_MAX, MESH_OFFER_ITEMS_MAX, MESH_RECONCILE_IDS_MAX, MESH_RECONCILE_PARTS_MAX,
    MESH_RECONCILE_RANGES_MAX, MESH_SETTLE_ITEMS_MAX, MESH_TRANSFER_BUNDLES_MAX, MESH_TRANSFER_BYTES_MAX,
};
use qpq_proto::{Method, v1};

use super::{
    Fingerprint, Hello, NodeKind, Range, RangeAnswer, RangeContent, Ranges, Request, Response, Transfer,
    Verdicts,
};
use crate::bundle::{Bundle, Kind, Label, ShortId, Transit};
use crate::work::{Challenge, Solution};

mod items;

use items::{coded, fetch_verdict, offer_item, offer_verdict, settlement, transfer_verdict, want};

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
