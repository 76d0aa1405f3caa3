//! Reports of messages, sealed to the administrators of a relay.
//!
//! Who reports signs what it says, so that neither the relay nor an administrator can put it into somebody's mouth, and
//! seals it so that the relay cannot read it:
//!
//! ```text
//!  signed = reporter (32) | signature (64) | report
//!  sealed = n (1) | n times: administrator (32), key sealed to it (1,168)
//!         | ChaCha20-Poly1305 of the padded signed report, under that key | tag (16)
//! ```
//!
//! The key is made for the report and sealed with HPKE, as [`crate::sealed`] says. The signature and the seal cover the channel and the message that the relay is told: a report cannot be listed as one
//! about another message. What is in it is the reporter's word; nothing proves who wrote the message.

use std::fmt;

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Nonce, Tag};
use qpq_proto::ids::Identity;
use qpq_proto::limits::REPORT_KEYS_MAX;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::encoding::{Reader, Truncated, put_prefixed};
use crate::hybrid::{HybridPublic, HybridSecret};
use crate::identity::IdentityKey;
use crate::padding::{pad, unpad};
use crate::sealed::{SEALED_BODY_OVERHEAD_BYTES, open_sealed, seal_to};
use crate::signature::{Domain, SIGNATURE_BYTES, Verify};

/// Longest report before it is sealed: with its signature it fits the size class of 16 KiB, so that what is sealed to as
/// many administrators as can be fits what a relay takes.
pub const REPORT_BYTES_MAX: usize = (16 << 10) - TAG_BYTES - 1 - SIGNED_BYTES;

/// What a report is about, as the relay is told.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// Channel, 16 bytes.
    pub channel: &'a [u8],
    /// Message, 16 bytes.
    pub message: &'a [u8],
}

/// A report that was opened, and by whom it was signed.
pub struct OpenedReport {
    /// Who reports.
    pub reporter: Identity,
    /// What was sealed.
    pub report: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for OpenedReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OpenedReport").field("reporter", &self.reporter).finish_non_exhaustive()
    }
}

/// Why a report cannot be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealReportError {
    /// More than [`REPORT_BYTES_MAX`].
    #[error("report of {0} bytes is too long")]
    TooLong(usize),
    /// No administrator, or more than [`REPORT_KEYS_MAX`].
    #[error("report is to be sealed to {0} administrators")]
    Administrators(usize),
}

/// Why a report cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenReportError {
    /// No report of this form, or sealed to more than [`REPORT_KEYS_MAX`] administrators.
    #[error("report is malformed")]
    Malformed,
    /// Not sealed to this administrator: it became one later, or has another key now.
    #[error("report is sealed to other administrators, or to an earlier key")]
    NotForThisKey,
    /// Changed, or listed as one about another message.
    #[error("report is damaged, or about another message")]
    Damaged,
    /// Not signed by the one whom it names.
    #[error("report is not signed by the one whom it names")]
    Signature,
}

/// Signs a report and seals it to administrators.
///
/// # Errors
/// [`SealReportError`].
pub fn seal_report(
    rng: &mut dyn CryptoRng,
    reporter: &IdentityKey,
    about: About<'_>,
    report: &[u8],
    administrators: &[(Identity, HybridPublic)],
) -> Result<Vec<u8>, SealReportError> {
    if report.len() > REPORT_BYTES_MAX {
        return Err(SealReportError::TooLong(report.len()));
    }
    if !(1..=REPORT_KEYS_MAX).contains(&administrators.len()) {
        return Err(SealReportError::Administrators(administrators.len()));
    }
    let signature = reporter.sign(Domain::Report, &[about.channel, about.message, report]);
    let signed = Zeroizing::new([reporter.public().as_bytes().as_slice(), &signature, report].concat());
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    rng.fill_bytes(key.as_mut_slice());
    let associated_data = about.associated_data();
    let mut sealed = vec![u8::try_from(administrators.len()).unwrap_or(u8::MAX)];
    for (administrator, public) in administrators {
        sealed.extend_from_slice(administrator.as_bytes());
        sealed.extend_from_slice(&seal_to(&mut *rng, public, INFO, &associated_data, key.as_slice()));
    }
    encrypt(&key, &associated_data, &signed, &mut sealed);
    Ok(sealed)
}

/// Opens a report as one of the administrators to whom it was sealed.
///
/// # Errors
/// [`OpenReportError`].
pub fn open_report(
    administrator: &Identity,
    secret: &HybridSecret,
    about: About<'_>,
    sealed: &[u8],
) -> Result<OpenedReport, OpenReportError> {
    let mut reader = Reader::new(sealed);
    let count = usize::from(reader.u8()?);
    if !(1..=REPORT_KEYS_MAX).contains(&count) {
        return Err(OpenReportError::Malformed);
    }
    let mut own = None;
    for _ in 0..count {
        let (to, key) = (reader.array::<32>()?, reader.bytes(SEALED_KEY_BYTES)?);
        own = own.or((to == *administrator.as_bytes()).then_some(key));
    }
    let own = own.ok_or(OpenReportError::NotForThisKey)?;
    let associated_data = about.associated_data();
    let key = open_sealed(secret, INFO, &associated_data, own).map_err(|_| OpenReportError::NotForThisKey)?;
    let padded = decrypt(&key, &associated_data, reader)?;
    let mut signed = Reader::new(unpad(&padded).map_err(|_| OpenReportError::Malformed)?);
    let reporter = Identity::from_bytes(signed.array::<32>()?);
    let signature = signed.array::<SIGNATURE_BYTES>()?;
    let report = Zeroizing::new(signed.bytes(signed.remaining())?.to_vec());
    reporter
        .verify(Domain::Report, &[about.channel, about.message, &report], &signature)
        .map_err(|_| OpenReportError::Signature)?;
    Ok(OpenedReport { reporter, report })
}

/// Pads what is signed, and puts it behind what was sealed so far.
fn encrypt(key: &[u8; KEY_BYTES], associated_data: &[u8], signed: &[u8], sealed: &mut Vec<u8>) {
    let start = sealed.len();
    sealed.extend_from_slice(&Zeroizing::new(pad(signed, TAG_BYTES)));
    let tag = ChaCha20Poly1305::new(&(*key).into())
        .encrypt_inout_detached(&NONCE, associated_data, (&mut sealed[start..]).into())
        .expect("a report is far below ChaCha20's limit of 256 GiB");
    sealed.extend_from_slice(&tag);
}

fn decrypt(
    key: &[u8],
    associated_data: &[u8],
    mut reader: Reader<'_>,
) -> Result<Zeroizing<Vec<u8>>, OpenReportError> {
    let key = <[u8; KEY_BYTES]>::try_from(key).map(Zeroizing::new).map_err(|_| OpenReportError::Malformed)?;
    let length = reader.remaining().checked_sub(TAG_BYTES).ok_or(OpenReportError::Malformed)?;
    let mut opened = Zeroizing::new(reader.bytes(length)?.to_vec());
    let tag = Tag::from(reader.array::<TAG_BYTES>()?);
    ChaCha20Poly1305::new(&(*key).into())
        .decrypt_inout_detached(&NONCE, associated_data, opened.as_mut_slice().into(), &tag)
        .map_err(|_| OpenReportError::Damaged)?;
    Ok(opened)
}

impl From<Truncated> for OpenReportError {
    fn from(_: Truncated) -> Self {
        Self::Malformed
    }
}

impl About<'_> {
    fn associated_data(&self) -> Vec<u8> {
        let mut data = Vec::new();
        put_prefixed(&mut data, &[INFO, self.channel, self.message]);
        data
    }
}

const INFO: &[u8] = b"qpq/v1/report";
const KEY_BYTES: usize = 32;
const TAG_BYTES: usize = 16;
/// Each key seals one report.
const NONCE: Nonce = chacha20poly1305::aead::array::Array([0; 12]);
/// The reporter and the signature.
const SIGNED_BYTES: usize = 32 + SIGNATURE_BYTES;
const SEALED_KEY_BYTES: usize = KEY_BYTES + SEALED_BODY_OVERHEAD_BYTES;

#[cfg(test)]
mod tests;
