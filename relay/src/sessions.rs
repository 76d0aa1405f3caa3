//! Who is logged in over which connection.
//!
//! A session lies in storage under the hash of its token; a connection is bound to it by the holder of its device key.
//! Only what is bound is held in memory, and what ends a session ends its bindings in the same step: a revoked device
//! makes no further call.

use std::collections::BTreeMap;

use qpq_proto::ids::{DeviceKey, Identity};

use crate::context::Context;
use crate::input::{ConnectionId, Effect};
use crate::relay::Relay;
use crate::time::Moment;

/// A session that a connection is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Session {
    /// Whose.
    pub identity: Identity,
    /// Which of its devices.
    pub device: DeviceKey,
    /// Steady time in ms at which it ends.
    pub expires_at_ms: u64,
    /// Whether the account administers the relay.
    pub is_administrator: bool,
}

/// A connection that is bound.
#[derive(Debug, Clone, Copy)]
struct Bound {
    session: Session,
    /// Hour of Unix time for which it is noted that the device was seen.
    seen_hour: u64,
}

/// The sessions that connections are bound to.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    by_connection: BTreeMap<ConnectionId, Bound>,
    /// Connections of each account, in order.
    by_account: BTreeMap<(Identity, ConnectionId), ()>,
}

impl Sessions {
    /// The session of a connection, if it has one that has not ended.
    pub(crate) fn of(&self, connection: ConnectionId, now: Moment) -> Option<Session> {
        let session = self.by_connection.get(&connection)?.session;
        (!now.is_past(session.expires_at_ms)).then_some(session)
    }

    /// Binds a connection, in place of what it was bound to.
    pub(crate) fn bind(&mut self, connection: ConnectionId, session: Session) {
        self.unbind(connection);
        self.by_account.insert((session.identity, connection), ());
        self.by_connection.insert(connection, Bound { session, seen_hour: 0 });
    }

    /// The connection has ended, or its session. Returns the device that it was bound to.
    pub(crate) fn unbind(&mut self, connection: ConnectionId) -> Option<DeviceKey> {
        let session = self.by_connection.remove(&connection)?.session;
        self.by_account.remove(&(session.identity, connection));
        Some(session.device)
    }

    /// How many connections are bound.
    pub(crate) fn len(&self) -> usize {
        self.by_connection.len()
    }

    /// The hour for which it is noted that the connection's device was seen.
    pub(crate) fn seen_hour(&self, connection: ConnectionId) -> u64 {
        self.by_connection.get(&connection).map_or(0, |bound| bound.seen_hour)
    }

    /// It is noted that the connection's device was seen.
    pub(crate) fn note_seen(&mut self, connection: ConnectionId, hour: u64) {
        if let Some(bound) = self.by_connection.get_mut(&connection) {
            bound.seen_hour = hour;
        }
    }

    /// The connections over which an account is logged in, with the devices.
    pub(crate) fn connections(
        &self,
        identity: Identity,
    ) -> impl Iterator<Item = (ConnectionId, DeviceKey)> + '_ {
        let range = (identity, ConnectionId(0))..=(identity, ConnectionId(u64::MAX));
        self.by_account.range(range).filter_map(|((_, connection), ())| {
            self.by_connection.get(connection).map(|bound| (*connection, bound.session.device))
        })
    }
}

impl Relay {
    /// A connection is bound to no session any more, and its calls do not wait.
    pub(crate) fn end_session(&mut self, connection: ConnectionId) {
        if let Some(device) = self.sessions.unbind(connection) {
            self.wakes.forget(device);
        }
        self.waits.disconnected(connection);
    }

    /// Ends the connections of an account, or of one of its devices. The one over which that was asked for is left to the
    /// caller, who is still to be answered over it: with its connection an answer would be lost.
    pub(crate) fn unbind(&mut self, cx: &mut Context<'_>, identity: Identity, device: Option<DeviceKey>) {
        let connections: Vec<_> = self
            .sessions
            .connections(identity)
            .filter(|(_, bound)| device.is_none_or(|device| device == *bound))
            .collect();
        let asking = cx.call().ok().map(|call| call.caller.connection);
        for (connection, _) in connections {
            self.end_session(connection);
            if Some(connection) != asking {
                cx.effects.push(Effect::Disconnect { connection });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(person: u8, device: u8) -> Session {
        Session {
            identity: Identity::from_bytes([person; 32]),
            device: DeviceKey::from_bytes([device; 32]),
            expires_at_ms: 1_000,
            is_administrator: false,
        }
    }

    fn at(steady_ms: u64) -> Moment {
        Moment { monotonic_ms: 0, wall_ms: 0, steady_ms }
    }

    #[test]
    fn a_session_ends_in_time_and_with_its_connection() {
        let mut sessions = Sessions::default();
        sessions.bind(ConnectionId(1), session(7, 1));
        assert_eq!(sessions.of(ConnectionId(1), at(999)), Some(session(7, 1)));
        assert_eq!(sessions.of(ConnectionId(1), at(1_000)), None);
        assert_eq!(sessions.of(ConnectionId(2), at(0)), None);
        sessions.unbind(ConnectionId(1));
        assert_eq!(sessions.of(ConnectionId(1), at(0)), None);
        assert_eq!(sessions.connections(Identity::from_bytes([7; 32])).count(), 0);
    }

    #[test]
    fn an_account_is_found_on_each_of_its_connections_and_on_no_other() {
        let mut sessions = Sessions::default();
        for (connection, person, device) in [(1, 7, 1), (2, 8, 2), (3, 7, 3), (u64::MAX, 7, 4)] {
            sessions.bind(ConnectionId(connection), session(person, device));
        }
        // Bound anew, to somebody else.
        sessions.bind(ConnectionId(3), session(8, 5));
        let found = |person: u8| {
            let found = sessions.connections(Identity::from_bytes([person; 32]));
            found.map(|(connection, device)| (connection.0, device.as_bytes()[0])).collect::<Vec<_>>()
        };
        assert_eq!(found(7), [(1, 1), (u64::MAX, 4)]);
        assert_eq!(found(8), [(2, 2), (3, 5)]);
        assert_eq!(found(9), []);
    }
}
