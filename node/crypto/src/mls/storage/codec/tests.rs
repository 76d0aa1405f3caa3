use openmls::prelude::Capabilities;
use serde::{Deserialize, Serialize};

use super::*;
use crate::mls::key_package::capabilities;

fn round_trip<T: Serialize + serde::de::DeserializeOwned + PartialEq + fmt::Debug>(value: &T) -> Vec<u8> {
    let bytes = encode(value).unwrap();
    assert_eq!(&decode::<T>(&bytes).unwrap(), value);
    bytes.to_vec()
}

#[test]
fn capabilities_round_trip() {
    let c = capabilities();
    let bytes = encode(&c).unwrap();
    eprintln!("{}", String::from_utf8_lossy(&bytes));
    round_trip(&c);
    round_trip(&(c.clone(), c));
}
