use super::*;
use crate::limits::{FRAME_PAYLOAD_BYTES_MAX, TEXT_BYTES_MAX, TOPIC_POSTS_PER_DAY_MAX};

const PROFILES: [Limits; 2] = [Limits::ROUTER, Limits::SERVER];

#[test]
fn the_router_profile_fits_into_64_mb() {
    let limits = Limits::ROUTER;
    // What a hostile surrounding can make a node hold at one time, besides its code and its libraries.
    let held = limits.call_bytes_in_memory_max
        + limits.push_bytes_in_memory_max
        + limits.groups_cached_bytes_max
        + limits.database_cache_bytes
        // What changed since the last checkpoint, what is on its way into the database, and a batch in its frame.
        + 3 * usize::try_from(limits.database_journal_bytes_max).unwrap()
        + limits.batch_bytes_max
        // An index entry and its header, and a tombstone.
        + limits.custody_bundles_max * 512
        + limits.tombstones_max * 160
        // What is known by hearsay, and the table in which it is found.
        + limits.mesh_rumours_max * 64
        + limits.handshakes_max * 64 * KIB
        + limits.connections_max * limits.stream_receive_window_bytes;
    assert!(held <= 40 * MIB, "{held} bytes");
}

#[test]
fn a_frame_of_the_largest_size_fits_everywhere() {
    for limits in PROFILES {
        // One request and its response at the same time.
        assert!(limits.call_bytes_in_memory_max >= 2 * FRAME_PAYLOAD_BYTES_MAX);
        assert!(limits.outbox_bytes_max >= FRAME_PAYLOAD_BYTES_MAX as u64);
        assert!(limits.stream_receive_window_bytes <= limits.connection_receive_window_bytes);
    }
}

#[test]
fn waits_do_not_contradict_each_other() {
    for limits in PROFILES {
        assert!(limits.keep_alive_interval_ms * 2 < limits.idle_timeout_ms);
        assert!(limits.dial_backoff_min_ms < limits.dial_backoff_max_ms);
        assert!(limits.resend_interval_min_ms < limits.resend_interval_max_ms);
        assert!(limits.delivery_lifetime_s <= limits.resend_lifetime_s);
    }
}

#[test]
fn a_topic_keeps_the_longest_posts() {
    for limits in PROFILES {
        assert!(limits.topic_bytes_max >= 16 * TEXT_BYTES_MAX as u64);
        // What one author may post in a day does not push out everything else.
        assert!(limits.topic_posts_max >= 2 * TOPIC_POSTS_PER_DAY_MAX);
        assert!(limits.topics_max as u64 * limits.topic_bytes_max <= 2 * limits.custody_bytes_max);
    }
}

#[test]
fn a_server_does_everything_a_router_does() {
    let (router, server) = (Limits::ROUTER, Limits::SERVER);
    assert!(server.connections_max >= router.connections_max);
    assert!(server.contacts_max >= router.contacts_max);
    assert!(server.group_members_max >= router.group_members_max);
    assert!(server.group_members_max >= 1_000);
}
