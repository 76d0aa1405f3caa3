//! Every limit of a node, its unit last in its name.
//!
//! What both ends of a connection must agree on is a constant. What a node decides for itself is a field of [`Limits`],
//! of which there are two profiles: [`Limits::ROUTER`] keeps a node within 64 MB of RAM, [`Limits::SERVER`] is for
//! everything larger. A count or a size in memory is a `usize`; times and sizes on disk are `u64`.

mod profile;
mod relay;

pub use profile::Limits;
pub use relay::{RateLimit, RelayLimits};

const KIB: usize = 1_024;
const MIB: usize = 1_024 * KIB;

/// The wire version that this crate describes; `Health` carries the lowest and highest that a node speaks.
pub const WIRE_VERSION: u32 = 1;

/// Longest payload of a frame.
pub const FRAME_PAYLOAD_BYTES_MAX: usize = 4_194_304;

/// Most fields of a request, each element of a repeated field counted; more than any request needs.
pub const REQUEST_FIELDS_MAX: usize = 4_096;

/// Longest payload of a delivery: a frame's, less the other fields of the longest request that carries one, which is a
/// `BatchEnqueue` to [`BATCH_RECIPIENTS_MAX`] mailboxes.
pub const DELIVERY_PAYLOAD_BYTES_MAX: usize = FRAME_PAYLOAD_BYTES_MAX - 131_072;

/// Most mailboxes of one `BatchEnqueue`.
pub const BATCH_RECIPIENTS_MAX: usize = 1_024;

/// Most deliveries of one answer to `Fetch`, `FetchWait` or `Peek`.
pub const FETCH_ENVELOPES_MAX: usize = 1_024;

/// Longest time that `FetchWait` waits.
pub const FETCH_WAIT_MS_MAX: u64 = 60_000;

/// UDP port of a relay's direct listener, unless its settings name another.
pub const RPC_PORT: u16 = 5001;

/// Tokens that one `SetDeliveryTokens` adds, and as many that it revokes.
pub const DELIVERY_TOKENS_PER_CALL_MAX: usize = 1_024;

/// Longest key package.
pub const KEY_PACKAGE_BYTES_MAX: usize = 1_048_576;

/// Most key packages of one `UploadKeyPackage`.
pub const KEY_PACKAGES_PER_UPLOAD_MAX: usize = 256;

/// Contact tokens that one `UploadKeyPackage` adds, and as many that it revokes.
pub const CONTACT_TOKENS_PER_CALL_MAX: usize = 256;

/// Most people of one `FetchHybridKeys`.
pub const HYBRID_KEYS_PER_CALL_MAX: usize = 256;

/// Most key packages that a profile carries.
pub const PROFILE_KEY_PACKAGES_MAX: usize = 4;

/// Most socket addresses that a profile or a link carries.
pub const PROFILE_ADDRESSES_MAX: usize = 8;

/// Most socket addresses of an endpoint record, and of a peer as discovery knows it.
pub const ENDPOINT_ADDRESSES_MAX: usize = 16;

/// Most bundles of one `TakeBundles`.
pub const TAKEN_BUNDLES_MAX: usize = 256;

/// Most nodes that one is paired with.
pub const PAIRED_NODES_MAX: usize = 64;

/// Longest text of a message, UTF-8.
pub const TEXT_BYTES_MAX: usize = 16_384;

/// Longest name of a person, contact or group, after NFKC.
pub const NAME_CHARS_MAX: usize = 64;

/// Longest user name of a relay, after NFKC case folding.
pub const USERNAME_CHARS_MAX: usize = 64;

/// Longest reason of a ban or a revocation.
pub const REASON_BYTES_MAX: usize = 1_024;

/// Longest encrypted metadata of a channel, and longest report.
pub const METADATA_BYTES_MAX: usize = 65_536;

/// Longest proof that the accused sent what is reported.
pub const FRANKING_PROOF_BYTES_MAX: usize = 1_024;

/// Most administrators to whom one report is sealed.
pub const REPORT_KEYS_MAX: usize = 32;

/// Most accounts that administer a relay.
pub const RELAY_ADMINISTRATORS_MAX: usize = 16;

/// Most messages that are disclosed besides the one that is reported.
pub const REPORT_MESSAGES_BEFORE_MAX: usize = 16;

/// Most reports that are opened by one call, of 64 KiB each.
pub const OPENED_REPORTS_MAX: usize = 24;

/// Most reports or bans of one answer.
pub const MODERATION_PAGE_ITEMS_MAX: usize = 256;

/// Reports or bans of one answer when the request names no limit.
pub const MODERATION_PAGE_ITEMS_DEFAULT: usize = 64;

/// Longest domain of a relay.
pub const DOMAIN_BYTES_MAX: usize = 253;

/// Longest signed device list.
pub const DEVICE_LIST_BYTES_MAX: usize = 65_536;

/// Longest sealed endpoint record.
pub const ENDPOINT_RECORD_BYTES_MAX: usize = 4_096;

/// Most endpoint records under one lookup key.
pub const ENDPOINT_RECORDS_PER_KEY_MAX: usize = 8;

/// Longest token or endpoint by which a service wakes a device.
pub const PUSH_TOKEN_BYTES_MAX: usize = 4_096;

/// Most devices of one identity.
pub const DEVICES_PER_IDENTITY_MAX: usize = 5;

/// Most MLS cipher suites that a device names.
pub const SUITES_PER_DEVICE_MAX: usize = 8;

/// Longest piece of a blob.
pub const BLOB_CHUNK_BYTES_MAX: usize = 1_048_576;

/// Longest recovery bundle.
pub const RECOVERY_BUNDLE_BYTES_MAX: usize = 1_048_576;

/// Most recovery bundles of one account.
pub const RECOVERY_BUNDLES_MAX: usize = 8;

/// Most content ids of one receipt.
pub const RECEIPT_IDS_MAX: usize = 256;

/// Most sequences of one resend request.
pub const RESEND_SEQUENCES_MAX: usize = 64;

/// Most people added by one change of a group.
pub const MEMBERS_PER_CHANGE_MAX: usize = 64;

/// Longest message of a failure; a longer one is cut.
pub const FAILURE_MESSAGE_BYTES_MAX: usize = 1_024;

/// Longest field name of a failure; a longer one is cut.
pub const FAILURE_FIELD_BYTES_MAX: usize = 128;

/// Longest version of a program in an answer to `Health`.
pub const VERSION_BYTES_MAX: usize = 64;

/// Most roles in an answer to `Health`.
pub const ROLES_MAX: usize = 16;

/// Longest delivery that a push event carries itself.
pub const PUSH_ENVELOPE_BYTES_MAX: usize = 16_384;

/// Longest payload of a push event: a delivery of [`PUSH_ENVELOPE_BYTES_MAX`] with what is said about it.
pub const PUSH_PAYLOAD_BYTES_MAX: usize = PUSH_ENVELOPE_BYTES_MAX + 1_024;

/// Most messages or events of one answer to the owner.
pub const PAGE_ITEMS_MAX: usize = 1_024;

/// Messages or events of one answer to the owner when the request names no limit.
pub const PAGE_ITEMS_DEFAULT: usize = 256;

/// Longest time that `ReadEvents` waits.
pub const EVENTS_WAIT_MS_MAX: u64 = 60_000;

/// Longest time that `WaitMessage` and `WaitChange` wait.
pub const OWNER_WAIT_MS_MAX: u64 = 3_600_000;

/// Shortest passphrase of a backup.
pub const PASSPHRASE_BYTES_MIN: usize = 8;

/// Epochs of a group whose secrets are kept, besides the present one.
pub const PAST_EPOCHS_MAX: usize = 32;

/// How far back in a sender's ratchet a message is still decrypted.
pub const OUT_OF_ORDER_GENERATIONS_MAX: u32 = 256;

/// How far ahead in a sender's ratchet a message is still decrypted.
pub const FORWARD_DISTANCE_GENERATIONS_MAX: u32 = 2_000;

/// Most posts of one author to one topic in a day, as the author's node counts days.
pub const TOPIC_POSTS_PER_DAY_MAX: usize = 128;

/// Most posts of one author to one topic that a node takes in a day: those of the eight days that a lifetime of seven days
/// touches may come together.
pub const TOPIC_POSTS_TAKEN_PER_DAY_MAX: usize = 8 * TOPIC_POSTS_PER_DAY_MAX;

/// Most bundles of one `MeshOffer`.
pub const MESH_OFFER_ITEMS_MAX: usize = 512;

/// Most bundles of one `MeshTransfer`.
pub const MESH_TRANSFER_BUNDLES_MAX: usize = 256;

/// Most bytes of bodies of one `MeshTransfer`.
pub const MESH_TRANSFER_BYTES_MAX: usize = 262_144;

/// Most bundles of one `MeshSettle`.
pub const MESH_SETTLE_ITEMS_MAX: usize = 1_024;

/// Most bundles of one `MeshFetch`.
pub const MESH_FETCH_ITEMS_MAX: usize = 512;

/// Most ranges of one `MeshReconcile`.
pub const MESH_RECONCILE_RANGES_MAX: usize = 64;

/// Most parts into which an answer to `MeshReconcile` splits a range.
pub const MESH_RECONCILE_PARTS_MAX: usize = 16;

/// Most ids that one `MeshReconcile` lists.
pub const MESH_RECONCILE_IDS_MAX: usize = 1_024;

/// Sessions with neighbours of the mesh at one time; a link beyond them waits for one to end.
pub const MESH_SESSIONS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::v1::{BatchEnqueueRequest, BatchRecipient};

    #[test]
    fn the_longest_delivery_fits_the_longest_batch() {
        let recipient = BatchRecipient { mailbox: vec![1; 32], token: vec![1; 32] };
        let request = BatchEnqueueRequest {
            recipients: vec![recipient; BATCH_RECIPIENTS_MAX],
            payload: vec![1; DELIVERY_PAYLOAD_BYTES_MAX].into(),
            channel_id: vec![1; 16],
            ttl_secs: u32::MAX,
            delivery_id: vec![1; 16],
        };
        assert!(request.encoded_len() <= FRAME_PAYLOAD_BYTES_MAX);
    }
}
