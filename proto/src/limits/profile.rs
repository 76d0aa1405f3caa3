//! The limits that a node sets itself, and their two profiles.

use super::{KIB, MIB, RelayLimits};

/// What a node decides for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections with peers and programs over QUIC, in both directions.
    pub connections_max: usize,
    /// Connections with one node: more than one only while two that were dialled at once are merged.
    pub connections_per_node_max: usize,
    /// Connections from one IP address, or from one /64 of IPv6.
    pub connections_per_address_max: usize,
    /// New connections from one IP address, or from one /64 of IPv6, within a minute.
    pub connections_per_address_per_minute_max: usize,
    /// Handshakes under way; above half of them, an address is validated first.
    pub handshakes_max: usize,
    /// Calls that a peer may have open on one connection.
    pub streams_per_connection_max: usize,
    /// Time for a handshake.
    pub handshake_timeout_ms: u64,
    /// Time for reading a request, for writing a response, and for a call whose method does not wait.
    pub call_timeout_ms: u64,
    /// Silence after which a connection is dead.
    pub idle_timeout_ms: u64,
    /// Interval of the signs of life on a connection that is wanted.
    pub keep_alive_interval_ms: u64,
    /// Unread data that a peer may send on all streams of a connection.
    pub connection_receive_window_bytes: usize,
    /// Unread data that a peer may send on one stream.
    pub stream_receive_window_bytes: usize,
    /// Unacknowledged data that we send on a connection.
    pub send_window_bytes: usize,
    /// Own calls to one peer that are under way.
    pub in_flight_calls_per_peer_max: usize,
    /// Payloads of all calls under way, requests and responses.
    pub call_bytes_in_memory_max: usize,
    /// Push events that wait for one connection; the oldest makes room.
    pub push_events_queued_max: usize,
    /// Bytes of push events that wait for one connection; the oldest makes room.
    pub push_bytes_queued_max: usize,
    /// Bytes of push events that wait for all connections.
    pub push_bytes_in_memory_max: usize,
    /// Peers that discovery remembers.
    pub discovered_peers_max: usize,
    /// Peers to which a connection is wanted.
    pub wanted_peers_max: usize,
    /// Dials under way.
    pub dials_max: usize,
    /// Pause after the first failed dial; it doubles with each.
    pub dial_backoff_min_ms: u64,
    /// Longest pause between two dials.
    pub dial_backoff_max_ms: u64,
    /// How long a node that sent garbage again and again is refused.
    pub ban_ms: u64,
    /// Nodes that are refused at one time; the oldest makes room.
    pub bans_max: usize,
    /// Connections of the owner's programs over the local socket.
    pub socket_connections_max: usize,
    /// Calls that a program may have open on one connection to the local socket.
    pub socket_calls_per_connection_max: usize,

    /// Events kept for `ReadEvents`.
    pub events_kept_max: usize,
    /// Deliveries that wait in the outbox, one a recipient.
    pub outbox_deliveries_max: usize,
    /// Payloads that wait in the outbox.
    pub outbox_bytes_max: u64,
    /// How long a delivery is tried, from when it was first sealed: longer than any carrier may carry it.
    pub delivery_lifetime_s: u64,
    /// Pause after the first failed delivery; it doubles with each.
    pub resend_interval_min_ms: u64,
    /// Longest pause between two deliveries.
    pub resend_interval_max_ms: u64,
    /// Own contents that are kept for each conversation so that a member can ask for them again.
    pub resend_contents_max: usize,
    /// How long own contents are kept for that.
    pub resend_lifetime_s: u64,
    /// How long a missing content is waited for before it is asked for.
    pub resend_wait_ms: u64,
    /// Messages of epochs yet to come that are kept for each conversation.
    pub future_epoch_messages_max: usize,
    /// Bytes of such messages that are kept for each conversation.
    pub future_epoch_bytes_max: usize,
    /// Contacts, in whatever state.
    pub contacts_max: usize,
    /// Contact requests that wait for an answer.
    pub pending_requests_max: usize,
    /// Invitations and group links that can still be used.
    pub invitations_max: usize,
    /// Conversations, in whatever state.
    pub conversations_max: usize,
    /// Members of one group.
    pub group_members_max: usize,
    /// Changes of one group that wait for its committer.
    pub group_changes_max: usize,
    /// Groups whose MLS state is held in memory.
    pub groups_cached_max: usize,
    /// MLS state that is held in memory.
    pub groups_cached_bytes_max: usize,

    /// Bytes of bundles that a node holds for others and for itself.
    pub custody_bytes_max: u64,
    /// The same where custody lives in RAM.
    pub custody_volatile_bytes_max: u64,
    /// Bundles that a node holds.
    pub custody_bundles_max: usize,
    /// Bytes that it holds for one neighbour that is not paired.
    pub custody_neighbour_bytes_max: u64,
    /// Bundles that it holds for one neighbour that is not paired.
    pub custody_neighbour_bundles_max: usize,
    /// Settled bundles that it remembers; the oldest makes room.
    pub tombstones_max: usize,
    /// Nodes of strangers on the local network that are sought as neighbours.
    pub lan_neighbours_max: usize,
    /// Neighbours of the mesh that it remembers, with what was offered to them.
    pub mesh_neighbours_max: usize,
    /// Bundles that wait to be offered to one neighbour.
    pub mesh_offers_queued_max: usize,
    /// Bundles that it knows by hearsay alone; the oldest of the neighbour that told most makes room. Each takes about 60
    /// bytes.
    pub mesh_rumours_max: usize,
    /// Bytes of bundles that it takes from one neighbour in a second.
    pub mesh_ingress_bytes_per_s_max: u64,
    /// Bundles that it takes from one neighbour in a second.
    pub mesh_ingress_bundles_per_s_max: u64,

    /// Topics subscribed to.
    pub topics_max: usize,
    /// Posts kept of one topic; the oldest makes room.
    pub topic_posts_max: usize,
    /// Bytes of texts kept of one topic; the oldest makes room.
    pub topic_bytes_max: u64,

    /// Inputs that wait for the writer.
    pub write_queue_max: usize,
    /// Inputs that are committed together.
    pub batch_inputs_max: usize,
    /// Bytes of inputs that are committed together; the input that reaches it is the last one.
    pub batch_bytes_max: usize,
    /// Cache of the database.
    pub database_cache_bytes: usize,
    /// Commits that the database does not hold yet: length of a file in front of it, half of which is in use at a time,
    /// and memory for as much.
    pub database_journal_bytes_max: u64,
    /// Bytes of the disk that stay free for the node itself: with less, a relay takes nothing more for others, though it
    /// goes on giving out what it has. More than a checkpoint takes.
    pub disk_reserve_bytes: u64,

    /// What it does for others as a relay.
    pub relay: RelayLimits,
}

const MINUTE_MS: u64 = 60_000;
const DAY_S: u64 = 86_400;

impl Limits {
    /// For a device with 64 MB of RAM.
    pub const ROUTER: Self = Self {
        connections_max: 48,
        connections_per_node_max: 2,
        connections_per_address_max: 8,
        connections_per_address_per_minute_max: 30,
        handshakes_max: 8,
        streams_per_connection_max: 16,
        handshake_timeout_ms: 10_000,
        call_timeout_ms: 30_000,
        idle_timeout_ms: 30_000,
        keep_alive_interval_ms: 10_000,
        connection_receive_window_bytes: 512 * KIB,
        stream_receive_window_bytes: 128 * KIB,
        send_window_bytes: 512 * KIB,
        in_flight_calls_per_peer_max: 8,
        call_bytes_in_memory_max: 12 * MIB,
        push_events_queued_max: 64,
        push_bytes_queued_max: 64 * KIB,
        push_bytes_in_memory_max: MIB,
        discovered_peers_max: 256,
        wanted_peers_max: 256,
        dials_max: 4,
        dial_backoff_min_ms: 250,
        dial_backoff_max_ms: MINUTE_MS,
        ban_ms: 10 * MINUTE_MS,
        bans_max: 256,
        socket_connections_max: 16,
        socket_calls_per_connection_max: 16,

        events_kept_max: 10_000,
        outbox_deliveries_max: 4_096,
        outbox_bytes_max: 16 * MIB as u64,
        delivery_lifetime_s: 35 * DAY_S,
        resend_interval_min_ms: 1_000,
        resend_interval_max_ms: 10 * MINUTE_MS,
        resend_contents_max: 1_024,
        resend_lifetime_s: 35 * DAY_S,
        resend_wait_ms: 10_000,
        future_epoch_messages_max: 256,
        future_epoch_bytes_max: MIB,
        contacts_max: 1_024,
        pending_requests_max: 64,
        invitations_max: 128,
        conversations_max: 2_048,
        group_members_max: 1_024,
        group_changes_max: 64,
        groups_cached_max: 8,
        groups_cached_bytes_max: 4 * MIB,

        custody_bytes_max: 16 * MIB as u64,
        custody_volatile_bytes_max: 8 * MIB as u64,
        custody_bundles_max: 12_288,
        custody_neighbour_bytes_max: 2 * MIB as u64,
        custody_neighbour_bundles_max: 256,
        tombstones_max: 8_192,
        lan_neighbours_max: 8,
        mesh_neighbours_max: 256,
        mesh_offers_queued_max: 2_048,
        mesh_rumours_max: 16_384,
        mesh_ingress_bytes_per_s_max: 2 * MIB as u64,
        mesh_ingress_bundles_per_s_max: 512,

        topics_max: 16,
        topic_posts_max: 1_024,
        topic_bytes_max: MIB as u64,

        write_queue_max: 256,
        batch_inputs_max: 64,
        batch_bytes_max: 2 * MIB,
        database_cache_bytes: 4 * MIB,
        database_journal_bytes_max: 512 * KIB as u64,
        disk_reserve_bytes: 4 * MIB as u64,

        relay: RelayLimits::ROUTER,
    };

    /// For everything with more memory.
    pub const SERVER: Self = Self {
        connections_max: 4_096,
        connections_per_address_max: 64,
        connections_per_address_per_minute_max: 240,
        handshakes_max: 256,
        streams_per_connection_max: 64,
        connection_receive_window_bytes: 8 * MIB,
        stream_receive_window_bytes: 2 * MIB,
        send_window_bytes: 8 * MIB,
        in_flight_calls_per_peer_max: 32,
        call_bytes_in_memory_max: 256 * MIB,
        push_events_queued_max: 256,
        push_bytes_queued_max: 256 * KIB,
        push_bytes_in_memory_max: 64 * MIB,
        discovered_peers_max: 256,
        wanted_peers_max: 16_384,
        dials_max: 8,
        bans_max: 4_096,
        socket_connections_max: 128,
        socket_calls_per_connection_max: 64,

        outbox_deliveries_max: 262_144,
        outbox_bytes_max: 1_024 * MIB as u64,
        resend_contents_max: 4_096,
        future_epoch_bytes_max: 4 * MIB,
        contacts_max: 16_384,
        pending_requests_max: 1_024,
        invitations_max: 1_024,
        conversations_max: 32_768,
        group_changes_max: 256,
        groups_cached_max: 32,
        groups_cached_bytes_max: 16 * MIB,

        custody_bytes_max: 2_048 * MIB as u64,
        custody_volatile_bytes_max: 256 * MIB as u64,
        custody_bundles_max: 1_000_000,
        tombstones_max: 262_144,
        lan_neighbours_max: 16,
        mesh_neighbours_max: 4_096,
        mesh_offers_queued_max: 8_192,
        mesh_rumours_max: 262_144,
        mesh_ingress_bytes_per_s_max: 16 * MIB as u64,
        mesh_ingress_bundles_per_s_max: 4_096,

        topics_max: 256,
        topic_posts_max: 10_000,
        topic_bytes_max: 16 * MIB as u64,

        write_queue_max: 4_096,
        batch_inputs_max: 512,
        batch_bytes_max: 32 * MIB,
        database_cache_bytes: 32 * MIB,
        database_journal_bytes_max: 32 * MIB as u64,
        disk_reserve_bytes: 128 * MIB as u64,

        relay: RelayLimits::SERVER,
        ..Self::ROUTER
    };
}

#[cfg(test)]
mod tests;
