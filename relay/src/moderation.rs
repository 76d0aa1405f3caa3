//! Reports and bans.
//!
//! A report is sealed to the administrators, whose keys are asked for with `ListAdministrators`: the relay keeps it for a
//! time and cannot read it. A ban ends an account's
//! sessions at once, and none begins until it ends ([`check_not_banned`]); it outlives the account. Lists are given page
//! by page.

pub(crate) mod administrators;
mod bans;
mod owner;
mod records;
mod reports;

use qpq_proto::Failure;
use qpq_proto::limits::{MODERATION_PAGE_ITEMS_DEFAULT, MODERATION_PAGE_ITEMS_MAX};

pub(crate) use bans::{check_not_banned, is_banned};
pub(crate) use reports::forget_account;

/// Where a page begins: behind the place that the cursor names.
pub(crate) fn after(cursor: &[u8]) -> Result<u64, Failure> {
    Ok(place_of(cursor)?.map_or(0, |place| place.saturating_add(1)))
}

/// The place that a cursor names; none for an empty one.
pub(crate) fn place_of(cursor: &[u8]) -> Result<Option<u64>, Failure> {
    if cursor.is_empty() {
        return Ok(None);
    }
    let place: [u8; CURSOR_BYTES] = cursor
        .try_into()
        .map_err(|_| Failure::bad_request("cursor", "this is no cursor of an answer of this relay's"))?;
    Ok(Some(u64::from_be_bytes(place)))
}

/// The cursor that names a place.
pub(crate) fn cursor(place: u64) -> Vec<u8> {
    place.to_be_bytes().to_vec()
}

/// How many a page has.
pub(crate) fn page_items(limit: u32) -> Result<usize, Failure> {
    match usize::try_from(limit).unwrap_or(usize::MAX) {
        0 => Ok(MODERATION_PAGE_ITEMS_DEFAULT),
        limit if limit <= MODERATION_PAGE_ITEMS_MAX => Ok(limit),
        _ => {
            let message = format!("at most {MODERATION_PAGE_ITEMS_MAX} are given at once");
            Err(Failure::bad_request("limit", message))
        }
    }
}

const CURSOR_BYTES: usize = 8;
