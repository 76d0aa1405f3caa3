//! Invitations to a closed relay: tokens that the administrators hand out.

use qpq_crypto::digest::sha256;
use qpq_proto::Failure;
use qpq_proto::v1::{CreateRelayInvitationRequest, CreateRelayInvitationResponse};

use crate::context::Context;
use crate::records::InvitationRecord;
use crate::relay::Relay;
use crate::tables::{self, INVITATIONS, key};

const USES_MAX: u32 = 1_000;
const LIFETIME_S_DEFAULT: u32 = 7 * 86_400;
const LIFETIME_S_MAX: u32 = 366 * 86_400;

impl Relay {
    pub(crate) fn create_relay_invitation(
        &self,
        cx: &mut Context<'_>,
        request: &CreateRelayInvitationRequest,
    ) -> Result<CreateRelayInvitationResponse, Failure> {
        let CreateRelayInvitationRequest { uses, lifetime_s } = *request;
        if uses > USES_MAX {
            let message = format!("an invitation is for at most {USES_MAX} accounts");
            return Err(Failure::bad_request("uses", message));
        }
        if lifetime_s > LIFETIME_S_MAX {
            return Err(Failure::bad_request("lifetime_s", "an invitation lives for at most a year"));
        }
        let lifetime_s = if lifetime_s == 0 { LIFETIME_S_DEFAULT } else { lifetime_s };
        let token = cx.random::<32>();
        let expires_at_ms = cx.now.after_ms(u64::from(lifetime_s) * 1_000);
        let record = InvitationRecord { uses: uses.max(1), expires_at_ms };
        tables::save(cx.tx, INVITATIONS, key(&sha256(&[&token])), &record)?;
        let expires_at_ms = cx.now.on_the_wall(expires_at_ms);
        Ok(CreateRelayInvitationResponse { token: token.to_vec(), expires_at_ms, link: String::new() })
    }
}

/// Uses an invitation for one account.
pub(super) fn use_up(cx: &mut Context<'_>, token: &[u8]) -> Result<(), Failure> {
    let refused = || Failure::forbidden("this relay takes whom it has invited: ask its administrator");
    let hash = sha256(&[token]);
    // Found by its hash: comparing takes the same time for every token that is wrong.
    let record: Option<InvitationRecord> = tables::load(cx.tx, INVITATIONS, key(&hash))?;
    let mut record = record.filter(|record| !cx.now.is_past(record.expires_at_ms)).ok_or_else(refused)?;
    record.uses = record.uses.saturating_sub(1);
    match record.uses {
        0 => cx.tx.delete(INVITATIONS, key(&hash))?,
        _ => tables::save(cx.tx, INVITATIONS, key(&hash), &record)?,
    }
    Ok(())
}
