//! Moderation by the owner of the node: an administrator's methods, under names of their own.

use qpq_proto::Failure;
use qpq_proto::v1::{
    BanRelayUserRequest, BanRelayUserResponse, BanUserRequest, BanUserResponse, ListBannedRequest,
    ListBannedResponse, ListRelayBansRequest, ListRelayBansResponse, ListRelayReportsRequest,
    ListRelayReportsResponse, ListReportsRequest, ListReportsResponse, UnbanRelayUserRequest,
    UnbanRelayUserResponse, UnbanUserRequest, UnbanUserResponse,
};

use crate::context::Context;
use crate::relay::Relay;

impl Relay {
    pub(crate) fn ban_relay_user(
        &self,
        cx: &mut Context<'_>,
        request: &BanRelayUserRequest,
    ) -> Result<BanRelayUserResponse, Failure> {
        let BanRelayUserRequest { identity_key, reason, until_ms } = request.clone();
        let BanUserResponse {} = self.ban_user(cx, &BanUserRequest { identity_key, reason, until_ms })?;
        Ok(BanRelayUserResponse {})
    }

    pub(crate) fn unban_relay_user(
        &self,
        cx: &mut Context<'_>,
        request: &UnbanRelayUserRequest,
    ) -> Result<UnbanRelayUserResponse, Failure> {
        let identity_key = request.identity_key.clone();
        let UnbanUserResponse {} = self.unban_user(cx, &UnbanUserRequest { identity_key })?;
        Ok(UnbanRelayUserResponse {})
    }

    pub(crate) fn list_relay_reports(
        &self,
        cx: &Context<'_>,
        request: &ListRelayReportsRequest,
    ) -> Result<ListRelayReportsResponse, Failure> {
        let ListRelayReportsRequest { cursor, limit } = request.clone();
        let ListReportsResponse { reports, next } =
            self.list_reports(cx, &ListReportsRequest { cursor, limit })?;
        Ok(ListRelayReportsResponse { reports, next })
    }

    pub(crate) fn list_relay_bans(
        &self,
        cx: &Context<'_>,
        request: &ListRelayBansRequest,
    ) -> Result<ListRelayBansResponse, Failure> {
        let ListRelayBansRequest { cursor, limit } = request.clone();
        let ListBannedResponse { bans, next } = self.list_banned(cx, &ListBannedRequest { cursor, limit })?;
        Ok(ListRelayBansResponse { bans, next })
    }
}
