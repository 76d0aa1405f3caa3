//! The limits of a relay: what it gives to those whom it serves.

use super::{KIB, MIB, RECOVERY_BUNDLE_BYTES_MAX};

/// What a relay decides for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayLimits {
    /// Connections of those who use it, at a time.
    pub connections_max: usize,
    /// Lifetime of a session.
    pub session_lifetime_s: u64,
    /// Sessions of one account; the oldest makes room.
    pub sessions_per_account_max: usize,
    /// Logins that wait for their last message; the oldest makes room.
    pub logins_max: usize,
    /// Lifetime of a delivery for which none is asked.
    pub delivery_ttl_default_s: u64,
    /// Longest lifetime of a delivery.
    pub delivery_ttl_max_s: u64,
    /// Bytes of the deliveries that wait in one queue.
    pub queue_bytes_max: u64,
    /// Deliveries that wait in one queue.
    pub queue_deliveries_max: u64,
    /// Mailboxes of one account, besides the one of its identity.
    pub mailboxes_per_account_max: usize,
    /// Channels of one mailbox that have a queue.
    pub channels_per_mailbox_max: usize,
    /// Single-use tokens that a mailbox holds.
    pub tokens_per_mailbox_max: usize,
    /// Calls that wait for a delivery at one time.
    pub waits_max: usize,
    /// Calls of one connection that wait for a delivery at one time.
    pub waits_per_connection_max: usize,
    /// Envelopes in an answer for which no number is asked.
    pub fetch_envelopes_default: usize,
    /// Entries of the transparency log in one answer.
    pub log_entries_per_answer_max: usize,
    /// Deliveries that are removed in one step, so that nobody waits long for it.
    pub removals_per_step_max: usize,

    /// Calls over one connection, in calls of the cheapest kind.
    pub calls_per_connection: RateLimit,
    /// Calls by one account or node, in calls of the cheapest kind.
    pub calls_per_caller: RateLimit,
    /// Calls from one IP address, or from one /64 of IPv6, in calls of the cheapest kind.
    pub calls_per_address: RateLimit,
    /// Callers, accounts, tokens or addresses that are remembered for one kind of rate.
    pub rate_keys_max: usize,
    /// Single-use key packages of one device.
    pub key_packages_per_device_max: usize,
    /// Bytes of the single-use key packages of one device; also the longest key package.
    pub key_package_bytes_per_device_max: u64,
    /// So many left, or fewer, and the device is told.
    pub key_packages_low: usize,
    /// Contact tokens of one account.
    pub contact_tokens_per_account_max: usize,
    /// Calls with one contact token that get single-use key packages.
    pub key_packages_per_token: RateLimit,
    /// Calls that get last-resort key packages of one person.
    pub last_resort_per_identity: RateLimit,
    /// Calls by which one caller gets last-resort key packages.
    pub last_resort_per_caller: RateLimit,

    /// Channels that one account makes.
    pub channels_per_account_max: u64,
    /// People on a channel's list.
    pub members_per_channel_max: usize,
    /// Requests to a channel's members to update their leaves.
    pub rotations_per_channel: RateLimit,

    /// Attempts to wake a device that is not connected.
    pub wakes_per_device: RateLimit,
    /// Devices that wait to be woken, those whose endpoint is tried again included.
    pub wakes_waiting_max: usize,
    /// Posts to endpoints that are under way at one time.
    pub wakes_under_way_max: usize,
    /// Those of them to one host.
    pub wakes_under_way_per_host_max: usize,

    /// Bytes in a second that are passed on for one node; more wait.
    pub packet_bytes_per_s_max: u32,

    /// Longest recovery bundle.
    pub recovery_bundle_bytes_max: usize,
    /// Attempts to fetch a recovery bundle from one IP address, or from one /64 of IPv6.
    pub recovery_per_address: RateLimit,
    /// Attempts to fetch a recovery bundle, of all together.
    pub recovery_for_all: RateLimit,
    /// Time after which an attempt to fetch a recovery bundle is answered, hit or miss.
    pub recovery_answer_ms: u64,
    /// Such answers that are held at one time.
    pub recovery_answers_max: usize,

    /// Lifetime of an endpoint record for which none is asked.
    pub endpoint_ttl_default_s: u64,
    /// Longest lifetime of an endpoint record.
    pub endpoint_ttl_max_s: u64,
    /// Lookup keys under which one device or node has a record.
    pub endpoints_per_publisher_max: usize,

    /// Reports that are kept.
    pub reports_max: u64,
    /// Reports of one account that are kept.
    pub reports_per_account_max: usize,
    /// Reports by one account.
    pub reports_per_account: RateLimit,
    /// How long a report is kept.
    pub report_ttl_s: u64,
    /// Entries of the audit log that are kept.
    pub audit_entries_max: u64,

    /// Longest blob.
    pub blob_bytes_max: u64,
    /// Bytes of the blobs of one account, uploads under way counted whole.
    pub blob_bytes_per_account_max: u64,
    /// Blobs of one account, uploads under way included.
    pub blobs_per_account_max: u64,
    /// Lifetime of a blob for which none is asked.
    pub blob_ttl_default_s: u64,
    /// Longest lifetime of a blob.
    pub blob_ttl_max_s: u64,
    /// How long an upload may take.
    pub upload_ttl_s: u64,
    /// Bytes of a piece of a blob for which no length is asked.
    pub blob_chunk_default_bytes: usize,
    /// Jobs of the object store under way.
    pub blob_jobs_max: usize,
}

/// How often something may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// So often at once.
    pub burst: u32,
    /// And then once in so many microseconds.
    pub interval_us: u64,
}

impl RateLimit {
    /// As much for each of so many as this is for each of others.
    #[must_use]
    pub fn shared_by(self, many: usize, instead_of: usize) -> Self {
        let scaled = |number: u64, times: usize, by: usize| {
            (number.saturating_mul(times as u64) / by.max(1) as u64).max(1)
        };
        let burst = scaled(self.burst.into(), many, instead_of);
        Self {
            burst: u32::try_from(burst).unwrap_or(u32::MAX),
            interval_us: scaled(self.interval_us, instead_of, many),
        }
    }

    /// So often at once, and then once in so many seconds.
    const fn once_in_s(interval_s: u64, burst: u32) -> Self {
        Self { burst, interval_us: interval_s * 1_000_000 }
    }
}

const HOUR_S: u64 = 3_600;
const DAY_S: u64 = 24 * HOUR_S;

impl RelayLimits {
    /// For a device with 64 MB of RAM.
    pub const ROUTER: Self = Self {
        connections_max: 48,
        session_lifetime_s: 30 * DAY_S,
        sessions_per_account_max: 32,
        logins_max: 64,
        delivery_ttl_default_s: 14 * DAY_S,
        delivery_ttl_max_s: 30 * DAY_S,
        queue_bytes_max: MIB as u64,
        queue_deliveries_max: 1_024,
        mailboxes_per_account_max: 256,
        channels_per_mailbox_max: 64,
        tokens_per_mailbox_max: 1_024,
        waits_max: 256,
        waits_per_connection_max: 16,
        fetch_envelopes_default: 64,
        log_entries_per_answer_max: 256,
        removals_per_step_max: 64,

        calls_per_connection: RateLimit { burst: 1_024, interval_us: 10_000 },
        calls_per_caller: RateLimit { burst: 1_024, interval_us: 10_000 },
        calls_per_address: RateLimit { burst: 4_096, interval_us: 5_000 },
        rate_keys_max: 1_024,
        key_packages_per_device_max: 64,
        key_package_bytes_per_device_max: MIB as u64,
        key_packages_low: 8,
        contact_tokens_per_account_max: 1_024,
        key_packages_per_token: RateLimit::once_in_s(HOUR_S, 16),
        last_resort_per_identity: RateLimit::once_in_s(60, 32),
        last_resort_per_caller: RateLimit::once_in_s(60, 16),

        channels_per_account_max: 256,
        members_per_channel_max: 256,
        rotations_per_channel: RateLimit::once_in_s(600, 4),

        wakes_per_device: RateLimit::once_in_s(300, 1),
        wakes_waiting_max: 256,
        wakes_under_way_max: 4,
        wakes_under_way_per_host_max: 2,
        packet_bytes_per_s_max: 1_048_576,

        recovery_bundle_bytes_max: 64 * KIB,
        recovery_per_address: RateLimit::once_in_s(600, 4),
        recovery_for_all: RateLimit::once_in_s(10, 16),
        recovery_answer_ms: 250,
        recovery_answers_max: 16,

        endpoint_ttl_default_s: DAY_S,
        endpoint_ttl_max_s: 7 * DAY_S,
        endpoints_per_publisher_max: 64,

        reports_max: 256,
        reports_per_account_max: 32,
        reports_per_account: RateLimit::once_in_s(HOUR_S, 8),
        report_ttl_s: 90 * DAY_S,
        audit_entries_max: 1_024,

        blob_bytes_max: 16 * MIB as u64,
        blob_bytes_per_account_max: 64 * MIB as u64,
        blobs_per_account_max: 256,
        blob_ttl_default_s: 30 * DAY_S,
        blob_ttl_max_s: 30 * DAY_S,
        upload_ttl_s: DAY_S,
        blob_chunk_default_bytes: 256 * KIB,
        blob_jobs_max: 16,
    };

    /// For everything with more memory.
    pub const SERVER: Self = Self {
        connections_max: 16_384,
        logins_max: 4_096,
        queue_bytes_max: 64 * MIB as u64,
        queue_deliveries_max: 1_048_576,
        mailboxes_per_account_max: 4_096,
        channels_per_mailbox_max: 256,
        tokens_per_mailbox_max: 16 * KIB,
        waits_max: 65_536,
        waits_per_connection_max: 64,
        log_entries_per_answer_max: 1_024,
        removals_per_step_max: 256,
        calls_per_connection: RateLimit { burst: 8_192, interval_us: 200 },
        calls_per_caller: RateLimit { burst: 8_192, interval_us: 200 },
        calls_per_address: RateLimit { burst: 65_536, interval_us: 30 },
        rate_keys_max: 65_536,
        key_packages_per_device_max: 128,
        key_package_bytes_per_device_max: 4 * MIB as u64,
        contact_tokens_per_account_max: 16 * KIB,
        channels_per_account_max: 4_096,
        members_per_channel_max: 1_024,
        recovery_bundle_bytes_max: RECOVERY_BUNDLE_BYTES_MAX,
        recovery_for_all: RateLimit::once_in_s(1, 32),
        recovery_answers_max: 32,
        endpoints_per_publisher_max: 256,
        wakes_waiting_max: 16 * KIB,
        wakes_under_way_max: 64,
        wakes_under_way_per_host_max: 8,
        packet_bytes_per_s_max: 16_777_216,
        reports_max: 65_536,
        reports_per_account_max: 256,
        audit_entries_max: 65_536,
        blob_bytes_max: 1_024 * MIB as u64,
        blob_bytes_per_account_max: 8_192 * MIB as u64,
        blobs_per_account_max: 65_536,
        blob_ttl_max_s: 90 * DAY_S,
        blob_jobs_max: 256,
        ..Self::ROUTER
    };
}
