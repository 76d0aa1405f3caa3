//! What the owner does with recovery codes.

use qpq_crypto::recovery::generate_codes;
use qpq_proto::{
    Failure,
    v1::{
        ConfirmRecoveryRequest, ConfirmRecoveryResponse, RecoveryCodeState, RecoveryRelayState,
        RevokeRecoveryCodeRequest, RevokeRecoveryCodeResponse, SetUpRecoveryResponse, ShowRecoveryResponse,
    },
};

use super::Proposed;
use crate::{
    context::Context,
    engine::Engine,
    input::RelayKey,
    records::{RecoveryCodeRecord, RecoveryRecord, RelayRecord},
    relays::key_of,
};

impl Engine {
    /// Makes codes. Those before are in force until these are confirmed.
    pub(crate) fn set_up_recovery(&mut self, cx: &mut Context<'_>) -> Result<SetUpRecoveryResponse, Failure> {
        self.me()?;
        if self.own_relays(cx)?.iter().all(|(relay, _)| self.ready_round(*relay).is_none()) {
            return Err(Failure::conflict(
                "no relay is connected that could keep the bundles: `qpq relay list` shows the relays, and \
                 `qpq relay register LINK --username NAME` makes an account at one",
            ));
        }
        let codes = generate_codes(cx.rng);
        let set = cx.random::<16>();
        let keys = codes.iter().map(qpq_crypto::recovery::RecoveryCode::keys).collect();
        let record = RecoveryRecord { codes: numbered(&keys), ..RecoveryRecord::default() };
        let contents = self.recovery_contents(cx, &record)?;
        self.recovery.proposed = Some(Proposed { set, keys });
        Ok(SetUpRecoveryResponse {
            set: set.to_vec(),
            codes: codes.iter().map(|code| code.to_text().to_string()).collect(),
            contacts: contents.contacts.len() as u64,
            contacts_left_out: contents.left_out,
        })
    }

    /// The codes were shown: from now on they are in force, and those before are deleted.
    pub(crate) fn confirm_recovery(
        &mut self,
        cx: &mut Context<'_>,
        request: &ConfirmRecoveryRequest,
    ) -> Result<ConfirmRecoveryResponse, Failure> {
        self.me()?;
        let Some(proposed) = self.recovery.proposed.take_if(|proposed| proposed.set[..] == request.set)
        else {
            return Err(Failure::conflict(
                "these codes are not in force, and those before still are: run `qpq recovery setup` again",
            ));
        };
        let mut record = self.recovery_record(cx)?.unwrap_or_default();
        for (relay, _) in self.own_relays(cx)? {
            record.place(relay);
        }
        let before: Vec<Vec<u8>> = record.codes.iter().map(|code| code.token_hash().to_vec()).collect();
        record.withdraw(&before);
        record.codes = numbered(&proposed.keys);
        record.created_at_ms = cx.now.wall_ms;
        record.digest.clear();
        self.save_recovery(cx, &record)?;
        self.recovery.is_set_up = true;
        self.recovery.refused.clear();
        self.renew_bundles(cx)?;
        Ok(ConfirmRecoveryResponse {})
    }

    /// `ShowRecovery` without the waiting, which is the driver's.
    pub(crate) fn show_recovery(&self, cx: &Context<'_>) -> Result<ShowRecoveryResponse, Failure> {
        let Some(mut record) = self.recovery_record(cx)? else {
            return Ok(ShowRecoveryResponse { settled: true, ..ShowRecoveryResponse::default() });
        };
        let contents = self.recovery_contents(cx, &record)?;
        let relays = self.own_relays(cx)?;
        let relays: Vec<RecoveryRelayState> =
            relays.iter().map(|(relay, of)| self.relay_state(cx, &mut record, *relay, of)).collect();
        let state = |code: &RecoveryCodeRecord| {
            let holds = record.places.iter().filter(|place| place.holds(code.token_hash(), record.version));
            let relays = u32::try_from(holds.count()).unwrap_or(u32::MAX);
            RecoveryCodeState { number: code.number, relays }
        };
        Ok(ShowRecoveryResponse {
            created_at_ms: record.created_at_ms,
            codes: record.codes.iter().map(state).collect(),
            settled: relays.iter().all(|relay| relay.state != "storing"),
            relays,
            contacts: contents.contacts.len() as u64,
            contacts_left_out: contents.left_out,
        })
    }

    fn relay_state(
        &self,
        cx: &Context<'_>,
        record: &mut RecoveryRecord,
        relay: RelayKey,
        of: &RelayRecord,
    ) -> RecoveryRelayState {
        let (version, codes) = (record.version, record.codes.clone());
        let place = record.place(relay);
        let stored = codes.iter().filter(|code| place.holds(code.token_hash(), version)).count();
        let refused = self.recovery.refused.get(&relay);
        let refused = refused.filter(|refused| refused.pauses.until_ms > cx.now.monotonic_ms);
        let (state, reason) = match (self.ready_round(relay), refused) {
            _ if stored == codes.len() && place.to_delete.is_empty() => ("stored", ""),
            (None, _) if of.session_token.is_empty() => ("offline", "nobody is logged in there"),
            (None, _) => ("offline", "the relay is not reached"),
            (Some(_), Some(refused)) => ("refused", refused.reason.as_str()),
            (Some(_), None) => ("storing", ""),
        };
        RecoveryRelayState {
            pin: of.pin.clone(),
            place: of.places.first().cloned().unwrap_or_default(),
            stored: u32::try_from(stored).unwrap_or(u32::MAX),
            to_delete: u32::try_from(place.to_delete.len()).unwrap_or(u32::MAX),
            state: state.into(),
            reason: reason.into(),
        }
    }

    /// Takes a code back.
    pub(crate) fn revoke_recovery_code(
        &mut self,
        cx: &mut Context<'_>,
        request: &RevokeRecoveryCodeRequest,
    ) -> Result<RevokeRecoveryCodeResponse, Failure> {
        let mut record = self.recovery_record(cx)?.unwrap_or_default();
        let position = record.codes.iter().position(|code| code.number == request.number);
        let Some(position) = position else {
            return Err(Failure::not_found(format!(
                "there is no recovery code {}: `qpq recovery list` shows those that there are",
                request.number
            )));
        };
        let code = record.codes.remove(position);
        record.withdraw(&[code.token_hash().to_vec()]);
        // The others name its keys.
        record.digest.clear();
        self.save_recovery(cx, &record)?;
        self.renew_bundles(cx)?;
        Ok(RevokeRecoveryCodeResponse { left: u32::try_from(record.codes.len()).unwrap_or(u32::MAX) })
    }

    /// The relays at which this person has an account, in order of preference.
    pub(super) fn own_relays(
        &self,
        cx: &Context<'_>,
    ) -> Result<Vec<(RelayKey, RelayRecord)>, crate::input::EngineError> {
        let records = self.relay_records(cx)?.into_iter();
        Ok(records.filter_map(|record| key_of(&record.pin).map(|relay| (relay, record))).collect())
    }
}

fn numbered(keys: &Vec<qpq_crypto::recovery::RecoveryKeys>) -> Vec<RecoveryCodeRecord> {
    (1..).zip(keys).map(|(number, keys)| RecoveryCodeRecord::of(number, keys)).collect()
}
