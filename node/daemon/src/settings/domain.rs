//! Domains, as a setting has them.

use std::fmt;
use std::str::FromStr;

use qpq_proto::limits::DOMAIN_BYTES_MAX;

use super::value::Item;

/// A host's full name, in lower case and without a dot at its end (RFC 1123, section 2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainName(String);

impl FromStr for DomainName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_of_label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(is_of_label)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        // An address is no name, and no top-level domain is a number.
        let is_number =
            text.rsplit('.').next().is_none_or(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
        let is_fit = text.len() <= DOMAIN_BYTES_MAX
            && text.contains('.')
            && text.split('.').all(is_label)
            && !is_number;
        if is_fit { Ok(Self(text.to_owned())) } else { Err(()) }
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Item for DomainName {
    const EXPECTED: &'static str = "a domain in lower case, such as relay.example.org";
}
