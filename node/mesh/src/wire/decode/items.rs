//! Items of fixed length, and verdicts of one byte.

use qpq_proto::v1;

use super::super::encode::{HELD_BIT, REFUSAL_OFFSET, SPARE_BIT};
use super::super::{
    Durability, FetchVerdict, OfferItem, OfferVerdict, Refusal, Settlement, TransferVerdict, Want,
};
use super::WireError;
use crate::bundle::{Secret, ShortId};

pub(super) fn offer_item(bytes: &[u8; OfferItem::LENGTH_BYTES]) -> OfferItem {
    let (mut short, mut salt, mut tag_start) = ([0; 9], [0; 8], [0; 8]);
    short.copy_from_slice(&bytes[..9]);
    let (is_spare, is_held) = (short[0] & SPARE_BIT != 0, short[0] & HELD_BIT != 0);
    short[0] &= !(SPARE_BIT | HELD_BIT);
    salt.copy_from_slice(&bytes[9..17]);
    tag_start.copy_from_slice(&bytes[17..25]);
    let ends_in = u16::from_be_bytes([bytes[25], bytes[26]]);
    OfferItem { short: ShortId::from_bytes(short), salt, tag_start, is_held, is_spare, ends_in }
}

pub(super) fn want(bytes: &[u8; Want::LENGTH_BYTES]) -> Want {
    let (mut short, mut number) = ([0; 9], [0; 4]);
    short.copy_from_slice(&bytes[..9]);
    number.copy_from_slice(&bytes[9..]);
    Want { short: ShortId::from_bytes(short), number: u32::from_be_bytes(number) }
}

pub(super) fn settlement(bytes: &[u8; Settlement::LENGTH_BYTES]) -> Settlement {
    let (mut short, mut secret) = ([0; 9], [0; 32]);
    short.copy_from_slice(&bytes[..9]);
    secret.copy_from_slice(&bytes[9..]);
    Settlement { short: ShortId::from_bytes(short), secret: Secret::from_bytes(secret) }
}

pub(super) fn offer_verdict(code: u8, secrets: &mut Secrets<'_>) -> Result<OfferVerdict, WireError> {
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

pub(super) fn transfer_verdict(code: u8, secrets: &mut Secrets<'_>) -> Result<TransferVerdict, WireError> {
    Ok(match code {
        1 => TransferVerdict::Accepted(Durability::Durable),
        2 => TransferVerdict::Accepted(Durability::Volatile),
        3 => TransferVerdict::Have,
        4 => TransferVerdict::Settled(secrets.next()?),
        code => TransferVerdict::Refused(refusal(code)?),
    })
}

pub(super) fn fetch_verdict(code: u8, secrets: &mut Secrets<'_>) -> Result<FetchVerdict, WireError> {
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
pub(super) fn coded<V>(
    codes: &[u8],
    secrets: &[u8],
    verdict: impl Fn(u8, &mut Secrets<'_>) -> Result<V, WireError>,
) -> Result<Vec<V>, WireError> {
    let mut secrets = Secrets(secrets);
    let verdicts = codes.iter().map(|code| verdict(*code, &mut secrets)).collect::<Result<_, _>>()?;
    if secrets.0.is_empty() { Ok(verdicts) } else { Err(WireError("secrets")) }
}

pub(super) struct Secrets<'a>(&'a [u8]);

impl Secrets<'_> {
    fn next(&mut self) -> Result<Secret, WireError> {
        let (first, rest) = self.0.split_first_chunk::<32>().ok_or(WireError("secrets"))?;
        self.0 = rest;
        Ok(Secret::from_bytes(*first))
    }
}
