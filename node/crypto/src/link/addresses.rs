//! Addresses within links: count (1), then of each its family, its IP address and its port.

use std::net::{IpAddr, SocketAddr};

use qpq_proto::limits::PROFILE_ADDRESSES_MAX;

use super::LinkError;
use crate::encoding::Reader;

pub(super) fn put_addresses(bytes: &mut Vec<u8>, addresses: &[SocketAddr]) {
    let addresses = &addresses[..addresses.len().min(PROFILE_ADDRESSES_MAX)];
    bytes.push(u8::try_from(addresses.len()).unwrap_or(u8::MAX));
    for address in addresses {
        match address.ip() {
            IpAddr::V4(ip) => {
                bytes.push(FAMILY_V4);
                bytes.extend_from_slice(&ip.octets());
            }
            IpAddr::V6(ip) => {
                bytes.push(FAMILY_V6);
                bytes.extend_from_slice(&ip.octets());
            }
        }
        bytes.extend_from_slice(&address.port().to_be_bytes());
    }
}

pub(super) fn read_addresses(reader: &mut Reader<'_>) -> Result<Vec<SocketAddr>, LinkError> {
    let count = usize::from(reader.u8()?);
    if count > PROFILE_ADDRESSES_MAX {
        return Err(LinkError::AddressCount(count));
    }
    let mut addresses = Vec::with_capacity(count);
    for _ in 0..count {
        let ip = match reader.u8()? {
            FAMILY_V4 => IpAddr::from(reader.array::<4>()?),
            FAMILY_V6 => IpAddr::from(reader.array::<16>()?),
            unknown => return Err(LinkError::AddressFamily(unknown)),
        };
        addresses.push(SocketAddr::new(ip, reader.u16()?));
    }
    Ok(addresses)
}

const FAMILY_V4: u8 = 4;
const FAMILY_V6: u8 = 6;
