//! The engine's side of the method table: each method leads to the function that does it.

use qpq_proto::{Failure, services, v1};
use zeroize::Zeroize;

use crate::{context::Context, engine::Engine, input::Caller};

/// Methods whose handler takes the context and the request by reference.
macro_rules! methods {
    ($($method:ident($request:ident) -> $response:ident;)*) => {
        $(
            fn $method(
                &mut self,
                context: &mut Context<'a>,
                request: v1::$request,
            ) -> Result<v1::$response, Failure> {
                Engine::$method(self, context, &request)
            }
        )*
    };
}

impl<'a> services::Owner<Context<'a>> for Engine {
    methods! {
        set_role(SetRoleRequest) -> SetRoleResponse;
        list_bundles(ListBundlesRequest) -> ListBundlesResponse;
        show_route(ShowRouteRequest) -> ShowRouteResponse;
        copy_bundles(CopyBundlesRequest) -> CopyBundlesResponse;
        pair_node(PairNodeRequest) -> PairNodeResponse;
        create_identity(CreateIdentityRequest) -> CreateIdentityResponse;
        read_events(ReadEventsRequest) -> ReadEventsResponse;
        create_invitation(CreateInvitationRequest) -> CreateInvitationResponse;
        revoke_invitation(RevokeInvitationRequest) -> RevokeInvitationResponse;
        add_contact(AddContactRequest) -> AddContactResponse;
        accept_contact(AcceptContactRequest) -> AcceptContactResponse;
        rename_contact(RenameContactRequest) -> RenameContactResponse;
        verify_contact(VerifyContactRequest) -> VerifyContactResponse;
        block_contact(BlockContactRequest) -> BlockContactResponse;
        remove_contact(RemoveContactRequest) -> RemoveContactResponse;
        read_messages(ReadMessagesRequest) -> ReadMessagesResponse;
        send_message(SendMessageRequest) -> SendMessageResponse;
        wait_message(WaitMessageRequest) -> WaitMessageResponse;
        mark_read(MarkReadRequest) -> MarkReadResponse;
        trace_message(TraceMessageRequest) -> TraceMessageResponse;
        create_group(CreateGroupRequest) -> CreateGroupResponse;
        add_group_members(AddGroupMembersRequest) -> AddGroupMembersResponse;
        create_group_link(CreateGroupLinkRequest) -> CreateGroupLinkResponse;
        join_group(JoinGroupRequest) -> JoinGroupResponse;
        leave_group(LeaveGroupRequest) -> LeaveGroupResponse;
        remove_group_member(RemoveGroupMemberRequest) -> RemoveGroupMemberResponse;
        show_group(ShowGroupRequest) -> ShowGroupResponse;
        rotate_group(RotateGroupRequest) -> RotateGroupResponse;
        wait_change(WaitChangeRequest) -> WaitChangeResponse;
        subscribe_topic(SubscribeTopicRequest) -> SubscribeTopicResponse;
        unsubscribe_topic(UnsubscribeTopicRequest) -> UnsubscribeTopicResponse;
        broadcast_post(BroadcastPostRequest) -> BroadcastPostResponse;
        read_posts(ReadPostsRequest) -> ReadPostsResponse;
        wait_mailbox_relay(WaitMailboxRelayRequest) -> WaitMailboxRelayResponse;
        find_user(FindUserRequest) -> FindUserResponse;
        wait_user(WaitUserRequest) -> WaitUserResponse;
        report_to_relay(ReportToRelayRequest) -> ReportToRelayResponse;
        wait_relay_errand(WaitRelayErrandRequest) -> WaitRelayErrandResponse;
        fetch_reports(FetchReportsRequest) -> FetchReportsResponse;
        open_reports(OpenReportsRequest) -> OpenReportsResponse;
        show_relay_proof(ShowRelayProofRequest) -> ShowRelayProofResponse;
        leave_relay(LeaveRelayRequest) -> LeaveRelayResponse;
        confirm_recovery(ConfirmRecoveryRequest) -> ConfirmRecoveryResponse;
        revoke_recovery_code(RevokeRecoveryCodeRequest) -> RevokeRecoveryCodeResponse;
    }

    fn node_status(
        &mut self,
        context: &mut Context<'a>,
        _: v1::NodeStatusRequest,
    ) -> Result<v1::NodeStatusResponse, Failure> {
        Engine::node_status(self, context)
    }

    fn show_mesh(
        &mut self,
        context: &mut Context<'a>,
        _: v1::ShowMeshRequest,
    ) -> Result<v1::ShowMeshResponse, Failure> {
        Engine::show_mesh(self, context)
    }

    fn take_bundles(
        &mut self,
        context: &mut Context<'a>,
        request: v1::TakeBundlesRequest,
    ) -> Result<v1::TakeBundlesResponse, Failure> {
        Engine::take_bundles(self, context, request)
    }

    fn show_identity(
        &mut self,
        _: &mut Context<'a>,
        _: v1::ShowIdentityRequest,
    ) -> Result<v1::ShowIdentityResponse, Failure> {
        Engine::show_identity(self)
    }

    fn diagnose(
        &mut self,
        context: &mut Context<'a>,
        _: v1::DiagnoseRequest,
    ) -> Result<v1::DiagnoseResponse, Failure> {
        Engine::diagnose(self, context)
    }

    fn restore_backup(
        &mut self,
        context: &mut Context<'a>,
        _: v1::RestoreBackupRequest,
    ) -> Result<v1::RestoreBackupResponse, Failure> {
        self.restored(context)
    }

    fn list_invitations(
        &mut self,
        context: &mut Context<'a>,
        _: v1::ListInvitationsRequest,
    ) -> Result<v1::ListInvitationsResponse, Failure> {
        Engine::list_invitations(self, context)
    }

    fn list_contacts(
        &mut self,
        context: &mut Context<'a>,
        _: v1::ListContactsRequest,
    ) -> Result<v1::ListContactsResponse, Failure> {
        Engine::list_contacts(self, context)
    }

    fn delete_group(
        &mut self,
        context: &mut Context<'a>,
        request: v1::DeleteGroupRequest,
    ) -> Result<v1::DeleteGroupResponse, Failure> {
        self.delete_ended_group(context, &request)
    }

    fn list_topics(
        &mut self,
        context: &mut Context<'a>,
        _: v1::ListTopicsRequest,
    ) -> Result<v1::ListTopicsResponse, Failure> {
        Engine::list_topics(self, context)
    }

    fn register_at_relay(
        &mut self,
        context: &mut Context<'a>,
        mut request: v1::RegisterAtRelayRequest,
    ) -> Result<v1::RegisterAtRelayResponse, Failure> {
        let answer = Engine::register_at_relay(self, context, &request);
        request.password.zeroize();
        answer
    }

    fn login_at_relay(
        &mut self,
        context: &mut Context<'a>,
        mut request: v1::LoginAtRelayRequest,
    ) -> Result<v1::LoginAtRelayResponse, Failure> {
        let answer = Engine::login_at_relay(self, context, &request);
        request.password.zeroize();
        answer
    }

    fn set_up_recovery(
        &mut self,
        context: &mut Context<'a>,
        _: v1::SetUpRecoveryRequest,
    ) -> Result<v1::SetUpRecoveryResponse, Failure> {
        Engine::set_up_recovery(self, context)
    }

    fn show_recovery(
        &mut self,
        context: &mut Context<'a>,
        _: v1::ShowRecoveryRequest,
    ) -> Result<v1::ShowRecoveryResponse, Failure> {
        Engine::show_recovery(self, context)
    }

    fn use_recovery_code(
        &mut self,
        context: &mut Context<'a>,
        mut request: v1::UseRecoveryCodeRequest,
    ) -> Result<v1::UseRecoveryCodeResponse, Failure> {
        let answer = Engine::use_recovery_code(self, context, &request);
        request.code.zeroize();
        answer
    }

    fn wait_recovery_use(
        &mut self,
        _: &mut Context<'a>,
        _: v1::WaitRecoveryUseRequest,
    ) -> Result<v1::WaitRecoveryUseResponse, Failure> {
        Engine::wait_recovery_use(self)
    }

    fn list_mailbox_relays(
        &mut self,
        context: &mut Context<'a>,
        _: v1::ListMailboxRelaysRequest,
    ) -> Result<v1::ListMailboxRelaysResponse, Failure> {
        Engine::list_mailbox_relays(self, context)
    }

    fn list_conversations(
        &mut self,
        context: &mut Context<'a>,
        _: v1::ListConversationsRequest,
    ) -> Result<v1::ListConversationsResponse, Failure> {
        Engine::list_conversations(self, context)
    }
}

impl<'a> services::Delivery<Context<'a>> for Engine {
    methods! {
        enqueue(EnqueueRequest) -> EnqueueResponse;
    }
}

impl<'a> services::Keys<Context<'a>> for Engine {
    fn fetch_hybrid_key(
        &mut self,
        context: &mut Context<'a>,
        request: v1::FetchHybridKeyRequest,
    ) -> Result<v1::FetchHybridKeyResponse, Failure> {
        if matches!(context.caller, Caller::Public) {
            return Err(Failure::forbidden("this node keeps no mailboxes: connect as a node"));
        }
        Engine::fetch_hybrid_key(self, &request)
    }
}

// What this node does not do for others yet: the generated defaults answer `Forbidden`.
impl<'a> services::Auth<Context<'a>> for Engine {}
impl<'a> services::Channels<Context<'a>> for Engine {}
impl<'a> services::Groups<Context<'a>> for Engine {}
impl<'a> services::Moderation<Context<'a>> for Engine {}
impl<'a> services::Users<Context<'a>> for Engine {}
impl<'a> services::KeyTransparency<Context<'a>> for Engine {}
impl<'a> services::Blobs<Context<'a>> for Engine {}
impl<'a> services::Devices<Context<'a>> for Engine {}
impl<'a> services::Recovery<Context<'a>> for Engine {}
impl<'a> services::Peers<Context<'a>> for Engine {}
// Answered in `carrying`, from the payload.
impl<'a> services::Mesh<Context<'a>> for Engine {}
impl<'a> services::Federation<Context<'a>> for Engine {}
impl<'a> services::Account<Context<'a>> for Engine {}

#[cfg(test)]
mod tests;
