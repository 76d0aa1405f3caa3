//! The relay's side of the method table: each method leads to the function that does it.

use qpq_proto::{Failure, services, v1};

use crate::context::Context;
use crate::relay::Relay;

/// Methods whose handler takes the context and the request by reference.
macro_rules! methods {
    ($($method:ident($request:ident) -> $response:ident;)*) => {
        $(
            fn $method(
                &mut self,
                context: &mut Context<'a>,
                request: v1::$request,
            ) -> Result<v1::$response, Failure> {
                Relay::$method(self, context, &request)
            }
        )*
    };
}

impl<'a> services::Delivery<Context<'a>> for Relay {
    fn enqueue(
        &mut self,
        context: &mut Context<'a>,
        request: v1::EnqueueRequest,
    ) -> Result<v1::EnqueueResponse, Failure> {
        Self::enqueue(self, context, request)
    }

    fn batch_enqueue(
        &mut self,
        context: &mut Context<'a>,
        request: v1::BatchEnqueueRequest,
    ) -> Result<v1::BatchEnqueueResponse, Failure> {
        Self::batch_enqueue(self, context, request)
    }

    methods! {
        fetch(FetchRequest) -> FetchResponse;
        fetch_wait(FetchWaitRequest) -> FetchWaitResponse;
        peek(PeekRequest) -> PeekResponse;
        ack(AckRequest) -> AckResponse;
        register_mailbox(RegisterMailboxRequest) -> RegisterMailboxResponse;
        revoke_mailbox(RevokeMailboxRequest) -> RevokeMailboxResponse;
        set_delivery_tokens(SetDeliveryTokensRequest) -> SetDeliveryTokensResponse;
    }
}

impl<'a> services::Auth<Context<'a>> for Relay {
    methods! {
        opaque_register_start(OpaqueRegisterStartRequest) -> OpaqueRegisterStartResponse;
        opaque_register_finish(OpaqueRegisterFinishRequest) -> OpaqueRegisterFinishResponse;
        opaque_login_start(OpaqueLoginStartRequest) -> OpaqueLoginStartResponse;
        opaque_login_finish(OpaqueLoginFinishRequest) -> OpaqueLoginFinishResponse;
        resume_session(ResumeSessionRequest) -> ResumeSessionResponse;
    }
}

impl<'a> services::Account<Context<'a>> for Relay {
    methods! {
        delete_account(DeleteAccountRequest) -> DeleteAccountResponse;
    }
}

impl<'a> services::Keys<Context<'a>> for Relay {
    methods! {
        upload_key_package(UploadKeyPackageRequest) -> UploadKeyPackageResponse;
        fetch_key_package(FetchKeyPackageRequest) -> FetchKeyPackageResponse;
        upload_hybrid_key(UploadHybridKeyRequest) -> UploadHybridKeyResponse;
        fetch_hybrid_key(FetchHybridKeyRequest) -> FetchHybridKeyResponse;
        fetch_hybrid_keys(FetchHybridKeysRequest) -> FetchHybridKeysResponse;
    }
}

impl<'a> services::Channels<Context<'a>> for Relay {
    methods! {
        create_channel(CreateChannelRequest) -> CreateChannelResponse;
    }
}

impl<'a> services::Groups<Context<'a>> for Relay {
    methods! {
        remove_member(RemoveMemberRequest) -> RemoveMemberResponse;
        update_group_metadata(UpdateGroupMetadataRequest) -> UpdateGroupMetadataResponse;
        list_group_members(ListGroupMembersRequest) -> ListGroupMembersResponse;
        rotate_keys(RotateKeysRequest) -> RotateKeysResponse;
    }
}

impl<'a> services::Moderation<Context<'a>> for Relay {
    methods! {
        report_message(ReportMessageRequest) -> ReportMessageResponse;
        ban_user(BanUserRequest) -> BanUserResponse;
        unban_user(UnbanUserRequest) -> UnbanUserResponse;
        list_reports(ListReportsRequest) -> ListReportsResponse;
        list_banned(ListBannedRequest) -> ListBannedResponse;
        list_administrators(ListAdministratorsRequest) -> ListAdministratorsResponse;
    }
}

impl<'a> services::Users<Context<'a>> for Relay {
    methods! {
        resolve_user(ResolveUserRequest) -> ResolveUserResponse;
        resolve_identity(ResolveIdentityRequest) -> ResolveIdentityResponse;
    }
}

impl<'a> services::KeyTransparency<Context<'a>> for Relay {
    methods! {
        revoke_key(RevokeKeyRequest) -> RevokeKeyResponse;
        check_revocation(CheckRevocationRequest) -> CheckRevocationResponse;
        audit_key_transparency(AuditKeyTransparencyRequest) -> AuditKeyTransparencyResponse;
    }
}

impl<'a> services::Blobs<Context<'a>> for Relay {
    fn upload_blob(
        &mut self,
        context: &mut Context<'a>,
        request: v1::UploadBlobRequest,
    ) -> Result<v1::UploadBlobResponse, Failure> {
        Self::upload_blob(self, context, request)
    }

    methods! {
        download_blob(DownloadBlobRequest) -> DownloadBlobResponse;
    }
}

impl<'a> services::Devices<Context<'a>> for Relay {
    methods! {
        register_device(RegisterDeviceRequest) -> RegisterDeviceResponse;
        list_devices(ListDevicesRequest) -> ListDevicesResponse;
        revoke_device(RevokeDeviceRequest) -> RevokeDeviceResponse;
        register_push_token(RegisterPushTokenRequest) -> RegisterPushTokenResponse;
    }
}

impl<'a> services::Recovery<Context<'a>> for Relay {
    methods! {
        store_recovery_bundle(StoreRecoveryBundleRequest) -> StoreRecoveryBundleResponse;
        fetch_recovery_bundle(FetchRecoveryBundleRequest) -> FetchRecoveryBundleResponse;
        delete_recovery_bundle(DeleteRecoveryBundleRequest) -> DeleteRecoveryBundleResponse;
    }
}

impl<'a> services::Peers<Context<'a>> for Relay {
    methods! {
        publish_endpoint(PublishEndpointRequest) -> PublishEndpointResponse;
        resolve_endpoint(ResolveEndpointRequest) -> ResolveEndpointResponse;
    }
}

// Not a relay's: refused.
impl<'a> services::Mesh<Context<'a>> for Relay {}
impl<'a> services::Federation<Context<'a>> for Relay {}

impl<'a> services::Owner<Context<'a>> for Relay {
    methods! {
        create_relay_invitation(CreateRelayInvitationRequest) -> CreateRelayInvitationResponse;
        list_relay_users(ListRelayUsersRequest) -> ListRelayUsersResponse;
        set_relay_administrator(SetRelayAdministratorRequest) -> SetRelayAdministratorResponse;
        read_relay_audit(ReadRelayAuditRequest) -> ReadRelayAuditResponse;
        ban_relay_user(BanRelayUserRequest) -> BanRelayUserResponse;
        unban_relay_user(UnbanRelayUserRequest) -> UnbanRelayUserResponse;
        list_relay_reports(ListRelayReportsRequest) -> ListRelayReportsResponse;
        list_relay_bans(ListRelayBansRequest) -> ListRelayBansResponse;
    }
}
