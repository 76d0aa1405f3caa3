//! Invitations to a closed relay: tokens that the administrators hand out.

use qpq_crypto::digest::sha256;
use qpq_proto::Failure;

use crate::context::Context;
use crate::records::InvitationRecord;
use crate::tables::{self, INVITATIONS, key};

/// Uses an invitation for one account.
pub(super) fn use_up(cx: &mut Context<'_>, token: &[u8]) -> Result<(), Failure> {
    let refused = || Failure::forbidden("this relay takes whom it has invited: ask its administrator");
    let hash = sha256(&[token]);
    // Found by its hash: comparing takes the same time for every token that is wrong.
    let record: Option<InvitationRecord> = tables::load(cx.tx, INVITATIONS, key(&hash))?;
    let mut record = record.filter(|record| record.expires_at_ms > cx.now.wall_ms).ok_or_else(refused)?;
    record.uses = record.uses.saturating_sub(1);
    match record.uses {
        0 => cx.tx.delete(INVITATIONS, key(&hash))?,
        _ => tables::save(cx.tx, INVITATIONS, key(&hash), &record)?,
    }
    Ok(())
}
