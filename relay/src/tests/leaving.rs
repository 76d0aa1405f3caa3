//! What every service does when an account is banned, or goes.

use qpq_crypto::account::sign_deletion;
use qpq_crypto::digest::sha256;
use qpq_proto::v1::{
    BanUserRequest, BanUserResponse, CreateChannelRequest, CreateChannelResponse, DeleteAccountRequest,
    DeleteAccountResponse, PublishEndpointRequest, PublishEndpointResponse, PushKind,
    RegisterPushTokenRequest, RegisterPushTokenResponse, ReportMessageRequest, ReportMessageResponse,
    StoreRecoveryBundleRequest, StoreRecoveryBundleResponse, UnbanUserRequest, UnbanUserResponse,
    UploadBlobRequest, UploadKeyPackageRequest, UploadKeyPackageResponse,
};
use qpq_proto::{Method, Status};

use super::people::{Person, alice, is_in, log_in, on, prove, resume, status};
use super::world::{Device, World};
use crate::input::{Effect, Input};
use crate::tables::{
    ACCOUNT_BLOBS, ACCOUNT_BUNDLES, ACCOUNT_CHANNELS, BLOB_ACCOUNTS, BLOB_GARBAGE, CONTACT_TOKENS,
    DEVICE_LISTS, ENDPOINTS, GRAVES, KEY_PACKAGES, KEY_SUPPLIES, KEYS, OWNED_BLOBS, PUBLISHERS, PUSH_TOKENS,
    RECOVERY_BUNDLES, REPORTERS,
};

const ROOT: Device = Device { person: 9, number: 1 };

#[test]
fn a_banned_account_neither_logs_in_nor_resumes() {
    let (mut world, alice) = alice();
    let token = log_in(&mut world, &alice, 1, 1).unwrap();
    world.enrol(ROOT);
    world.log_in(ROOT, true);
    let identity_key = alice.identity().public().to_vec();
    let ban = BanUserRequest { identity_key: identity_key.clone(), ..BanUserRequest::default() };
    let _: BanUserResponse = world.call(ROOT.caller(), Method::BanUser, &ban).unwrap();
    assert!(!is_in(&mut world, 1));
    assert_eq!(status(log_in(&mut world, &alice, 1, 2)), Status::Forbidden);
    let unban = UnbanUserRequest { identity_key };
    let _: UnbanUserResponse = world.call(ROOT.caller(), Method::UnbanUser, &unban).unwrap();
    assert_eq!(status(resume(&mut world, &alice, 1, token, 2)), Status::Unauthorized, "it ended for good");
    log_in(&mut world, &alice, 1, 2).unwrap();
    assert!(is_in(&mut world, 2));
}

/// Has every service keep something for somebody who is logged in on a connection.
fn use_everything(world: &mut World, person: &Person, connection: u8) {
    let (me, identity_key) = (on(connection), person.identity().public().to_vec());
    let hash = sha256(&[&[1; 32]]).to_vec();
    let keys = UploadKeyPackageRequest {
        identity_key,
        packages: vec![vec![1]],
        add_token_hashes: vec![hash.clone()],
        ..UploadKeyPackageRequest::default()
    };
    let _: UploadKeyPackageResponse = world.call(me, Method::UploadKeyPackage, &keys).unwrap();
    let identity_key = ROOT.identity().to_vec();
    let channel = CreateChannelRequest { identity_key, ..CreateChannelRequest::default() };
    let _: CreateChannelResponse = world.call(me, Method::CreateChannel, &channel).unwrap();
    let device_id = person.device(1).public().to_vec();
    let push = RegisterPushTokenRequest { device_id, kind: PushKind::Fcm.into(), token: vec![1] };
    let _: RegisterPushTokenResponse = world.call(me, Method::RegisterPushToken, &push).unwrap();
    let bundle = StoreRecoveryBundleRequest { token_hash: hash.clone(), bundle: vec![1].into(), version: 1 };
    let _: StoreRecoveryBundleResponse = world.call(me, Method::StoreRecoveryBundle, &bundle).unwrap();
    let endpoint = PublishEndpointRequest { lookup_key: vec![1; 32], sealed_record: vec![1], ttl_secs: 0 };
    let _: PublishEndpointResponse = world.call(me, Method::PublishEndpoint, &endpoint).unwrap();
    let message_id = qpq_proto::ids::MessageId::from_parts(1, [1; 10]).to_vec();
    let report = ReportMessageRequest {
        channel_id: vec![1; 16],
        message_id,
        report: vec![1],
        franking_proof: Vec::new(),
    };
    let _: ReportMessageResponse = world.call(me, Method::ReportMessage, &report).unwrap();
    let blob =
        UploadBlobRequest { hash, total_size: 2, chunk: vec![1].into(), ..UploadBlobRequest::default() };
    assert_eq!(world.try_call(me, Method::UploadBlob, &blob), None);
    do_jobs(world);
}

/// Has an object store do everything that it is asked.
fn do_jobs(world: &mut World) {
    for effect in world.effects() {
        if let Effect::Blob { id, .. } = effect {
            world.give(Input::BlobDone { id, result: crate::blobs::BlobResult::Done });
        }
    }
}

#[test]
fn a_deleted_account_leaves_nothing_in_any_service() {
    let (mut world, alice) = alice();
    world.enrol(ROOT);
    log_in(&mut world, &alice, 1, 1).unwrap();
    use_everything(&mut world, &alice, 1);
    let proven = prove(&mut world, &alice, 1).unwrap();
    let delete = DeleteAccountRequest {
        finalization: proven.finalization,
        signature: sign_deletion(&alice.identity(), &proven.session_key, &[1; 32]).to_vec(),
    };
    let _: DeleteAccountResponse = world.call(on(1), Method::DeleteAccount, &delete).unwrap();
    for _ in 0..3 {
        world.pass(60_000);
        do_jobs(&mut world);
    }
    let left = |table| world.memory.count(table);
    for table in [
        KEYS,
        CONTACT_TOKENS,
        KEY_SUPPLIES,
        KEY_PACKAGES,
        DEVICE_LISTS,
        PUSH_TOKENS,
        RECOVERY_BUNDLES,
        ACCOUNT_BUNDLES,
        ENDPOINTS,
        PUBLISHERS,
        REPORTERS,
        OWNED_BLOBS,
        BLOB_ACCOUNTS,
        ACCOUNT_BLOBS,
        BLOB_GARBAGE,
        GRAVES,
    ] {
        assert_eq!(left(table), 0, "{table:?}");
    }
    assert_eq!(left(ACCOUNT_CHANNELS), 1, "the other's");
}
