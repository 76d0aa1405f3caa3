//! The nodes on which the devices of accounts are: for them the relay passes packets on.

use prost::Message;
use qpq_proto::ids::{Identity, NodeKey};

use crate::input::{Now, RelayError};
use crate::moderation::check_not_banned;
use crate::records::DeviceRecord;
use crate::relay::Relay;
use crate::storage::Transaction;
use crate::tables::{self, NODES, key};

/// Whose devices are on a node, according to their device lists.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct NodeRecord {
    /// Identity keys, the last to say so last.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub identities: Vec<Vec<u8>>,
}

impl Relay {
    /// Whether a node is that of somebody with an account here who is not banned.
    ///
    /// # Errors
    /// [`RelayError`] if storage fails or a record is broken.
    pub fn serves_node(&self, tx: &dyn Transaction, node: &NodeKey, now: Now) -> Result<bool, RelayError> {
        let record = load(tx, node.as_bytes())?;
        let identities =
            record.identities.iter().filter_map(|identity| Identity::try_from(identity.as_slice()).ok());
        let now = self.time.look(now);
        Ok(identities.into_iter().any(|identity| check_not_banned(tx, identity, now).is_ok()))
    }
}

/// Takes note of where the devices of an account are that were somewhere else before.
pub(crate) fn moved(
    tx: &mut dyn Transaction,
    identity: Identity,
    before: &[DeviceRecord],
    after: &[DeviceRecord],
) -> Result<(), RelayError> {
    let is_on = |devices: &[DeviceRecord], node: &[u8]| devices.iter().any(|device| device.node == node);
    for DeviceRecord { node, .. } in before.iter().filter(|device| !is_on(after, &device.node)) {
        let mut record = load(tx, node)?;
        record.identities.retain(|known| known != identity.as_bytes());
        save(tx, node, &record)?;
    }
    for DeviceRecord { node, .. } in after {
        let mut record = load(tx, node)?;
        if record.identities.iter().any(|known| known == identity.as_bytes()) {
            continue;
        }
        // Whoever likes may name a node as its own: the oldest makes room.
        if record.identities.len() >= IDENTITIES_PER_NODE_MAX {
            record.identities.remove(0);
        }
        record.identities.push(identity.to_vec());
        save(tx, node, &record)?;
    }
    Ok(())
}

fn load(tx: &dyn Transaction, node: &[u8]) -> Result<NodeRecord, RelayError> {
    Ok(tables::load(tx, NODES, key(node))?.unwrap_or_default())
}

fn save(tx: &mut dyn Transaction, node: &[u8], record: &NodeRecord) -> Result<(), RelayError> {
    match record.identities.is_empty() {
        true => Ok(tx.delete(NODES, key(node))?),
        false => tables::save(tx, NODES, key(node), record),
    }
}

/// People whose devices are on one node, as far as the relay remembers.
const IDENTITIES_PER_NODE_MAX: usize = 32;
