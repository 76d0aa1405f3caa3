//! Where nodes can be reached: sealed records under keys that only contacts can compute.
//!
//! The relay can neither read a record nor tell whose contacts a lookup key is for. A publisher, a device that is logged
//! in or a node, has one record under a key; a new one takes the place of the old. A record ends with its lifetime.

use prost::Message;
use qpq_proto::Failure;
use qpq_proto::limits::{ENDPOINT_RECORD_BYTES_MAX, ENDPOINT_RECORDS_PER_KEY_MAX};
use qpq_proto::v1::{
    PublishEndpointRequest, PublishEndpointResponse, ResolveEndpointRequest, ResolveEndpointResponse,
};

use crate::context::{Context, Who};
use crate::due::{self, Kind};
use crate::input::RelayError;
use crate::relay::Relay;
use crate::storage::Transaction;
use crate::tables::{self, ENDPOINTS, PUBLISHERS, key};

/// The records under a lookup key.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct EndpointsRecord {
    /// Oldest first.
    #[prost(message, repeated, tag = "1")]
    pub records: Vec<EndpointRecord>,
}

/// A sealed record.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct EndpointRecord {
    /// The key of the device or node that published it.
    #[prost(bytes = "vec", tag = "1")]
    pub publisher: Vec<u8>,
    /// As published.
    #[prost(bytes = "vec", tag = "2")]
    pub sealed: Vec<u8>,
    /// Unix time in ms.
    #[prost(uint64, tag = "3")]
    pub expires_at_ms: u64,
}

/// Under which lookup keys a device or node has a record.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PublisherRecord {
    /// Oldest first.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub lookup_keys: Vec<Vec<u8>>,
}

impl Relay {
    pub(crate) fn publish_endpoint(
        &self,
        cx: &mut Context<'_>,
        request: &PublishEndpointRequest,
    ) -> Result<PublishEndpointResponse, Failure> {
        let lookup_key = lookup_key_field(&request.lookup_key)?;
        let sealed = request.sealed_record.clone();
        if !(1..=ENDPOINT_RECORD_BYTES_MAX).contains(&sealed.len()) {
            let message = format!("a sealed record has 1 to {ENDPOINT_RECORD_BYTES_MAX} bytes");
            return Err(Failure::bad_request("sealed_record", message));
        }
        let ttl_s = match request.ttl_secs {
            0 => self.limits.endpoint_ttl_default_s,
            asked => u64::from(asked).min(self.limits.endpoint_ttl_max_s),
        };
        let publisher = publisher(cx)?;
        let expires_at_ms = cx.now.after_ms(ttl_s * 1_000);
        self.note_publisher(cx, &publisher, &lookup_key)?;
        let mut all = load(cx.tx, &lookup_key)?;
        all.records.retain(|record| record.publisher != publisher);
        while all.records.len() >= ENDPOINT_RECORDS_PER_KEY_MAX {
            let ended = all.records.iter().position(|record| cx.now.is_past(record.expires_at_ms));
            let dropped = all.records.remove(ended.unwrap_or_default());
            forget_key(cx.tx, &dropped.publisher, &lookup_key)?;
        }
        all.records.push(EndpointRecord { publisher, sealed, expires_at_ms });
        tables::save(cx.tx, ENDPOINTS, key(&lookup_key), &all)?;
        due::look_at(cx.tx, Kind::Endpoints, &lookup_key, expires_at_ms)?;
        Ok(PublishEndpointResponse {})
    }

    pub(crate) fn resolve_endpoint(
        &self,
        cx: &Context<'_>,
        request: &ResolveEndpointRequest,
    ) -> Result<ResolveEndpointResponse, Failure> {
        let records = load(cx.tx, &lookup_key_field(&request.lookup_key)?)?.records;
        let live = records.into_iter().rev().filter(|record| !cx.now.is_past(record.expires_at_ms));
        Ok(ResolveEndpointResponse { sealed_records: live.map(|record| record.sealed).collect() })
    }

    /// A publisher has a record under one more key.
    fn note_publisher(
        &self,
        cx: &mut Context<'_>,
        publisher: &[u8],
        lookup_key: &[u8],
    ) -> Result<(), Failure> {
        let mut record: PublisherRecord =
            tables::load(cx.tx, PUBLISHERS, key(publisher))?.unwrap_or_default();
        if record.lookup_keys.iter().any(|known| known == lookup_key) {
            return Ok(());
        }
        if record.lookup_keys.len() >= self.limits.endpoints_per_publisher_max {
            let most = self.limits.endpoints_per_publisher_max;
            return Err(Failure::quota(format!("records are kept under at most {most} keys")));
        }
        record.lookup_keys.push(lookup_key.to_vec());
        Ok(tables::save(cx.tx, PUBLISHERS, key(publisher), &record)?)
    }

    /// Removes what has ended under some lookup keys. Returns whether there may be more.
    pub(crate) fn expire_endpoints(&self, cx: &mut Context<'_>) -> Result<bool, RelayError> {
        let due = due::take(cx.tx, Kind::Endpoints, cx.now.steady_ms)?;
        for lookup_key in &due {
            let all = load(cx.tx, lookup_key)?;
            let (live, ended): (Vec<_>, Vec<_>) =
                all.records.into_iter().partition(|record| !cx.now.is_past(record.expires_at_ms));
            for record in ended {
                forget_key(cx.tx, &record.publisher, lookup_key)?;
            }
            save(cx.tx, lookup_key, EndpointsRecord { records: live })?;
        }
        Ok(!due.is_empty())
    }
}

/// Removes the records of a device that is the person's no longer.
pub(crate) fn forget_device(tx: &mut dyn Transaction, device: &[u8]) -> Result<(), RelayError> {
    let publisher: PublisherRecord = tables::load(tx, PUBLISHERS, key(device))?.unwrap_or_default();
    for lookup_key in publisher.lookup_keys {
        let mut all = load(tx, &lookup_key)?;
        all.records.retain(|record| record.publisher != device);
        save(tx, &lookup_key, all)?;
    }
    Ok(tx.delete(PUBLISHERS, key(device))?)
}

/// Removes the records of a person's devices, which are these.
pub(crate) fn forget_account(tx: &mut dyn Transaction, devices: &[Vec<u8>]) -> Result<(), RelayError> {
    devices.iter().try_for_each(|device| forget_device(tx, device))
}

/// Who publishes: the device that is logged in, or else the node.
fn publisher(cx: &Context<'_>) -> Result<Vec<u8>, Failure> {
    match (cx.call()?.session, cx.call()?.who()) {
        (Some(session), _) => Ok(session.device.to_vec()),
        (None, Who::Node(node)) => Ok(node.to_vec()),
        (None, _) => Err(Failure::unauthorized("log in first")),
    }
}

/// A publisher has no record under a key any more.
fn forget_key(tx: &mut dyn Transaction, publisher: &[u8], lookup_key: &[u8]) -> Result<(), RelayError> {
    let mut record: PublisherRecord = tables::load(tx, PUBLISHERS, key(publisher))?.unwrap_or_default();
    record.lookup_keys.retain(|known| known != lookup_key);
    match record.lookup_keys.is_empty() {
        true => Ok(tx.delete(PUBLISHERS, key(publisher))?),
        false => tables::save(tx, PUBLISHERS, key(publisher), &record),
    }
}

fn load(tx: &dyn Transaction, lookup_key: &[u8]) -> Result<EndpointsRecord, RelayError> {
    Ok(tables::load(tx, ENDPOINTS, key(lookup_key))?.unwrap_or_default())
}

fn save(tx: &mut dyn Transaction, lookup_key: &[u8], all: EndpointsRecord) -> Result<(), RelayError> {
    match all.records.is_empty() {
        true => Ok(tx.delete(ENDPOINTS, key(lookup_key))?),
        false => tables::save(tx, ENDPOINTS, key(lookup_key), &all),
    }
}

fn lookup_key_field(bytes: &[u8]) -> Result<[u8; LOOKUP_KEY_BYTES], Failure> {
    bytes.try_into().map_err(|_| {
        let message = format!("{} bytes instead of {LOOKUP_KEY_BYTES}", bytes.len());
        Failure::bad_request("lookup_key", message)
    })
}

const LOOKUP_KEY_BYTES: usize = 32;
