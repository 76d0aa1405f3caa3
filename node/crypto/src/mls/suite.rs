//! The two cipher suites a group may have.

use openmls::prelude::Ciphersuite;

use crate::certificate::DeviceCertificate;

/// Code point of [`Suite::Hybrid`]: provisional in draft-ietf-mls-pq-ciphersuites, hence negotiated by
/// certificates and never assumed.
pub const HYBRID: u16 = 0x004F;

/// Code point of [`Suite::Classical`] (RFC 9420, section 17.1).
pub const CLASSICAL: u16 = 0x0001;

/// The cipher suite of a group; it never changes during the group's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Suite {
    /// X-Wing (X25519 and ML-KEM-768), AES-128-GCM, SHA-256, Ed25519: for everyone who can.
    Hybrid,
    /// X25519, AES-128-GCM, SHA-256, Ed25519: for groups with a member that cannot do better.
    Classical,
}

impl Suite {
    /// Every suite, the preferred one first.
    pub const ALL: [Self; 2] = [Self::Hybrid, Self::Classical];

    /// The number that stands for the suite in MLS messages and in certificates.
    pub const fn code_point(self) -> u16 {
        match self {
            Self::Hybrid => HYBRID,
            Self::Classical => CLASSICAL,
        }
    }

    /// The suite behind a number, if it is one of ours.
    pub const fn from_code_point(code_point: u16) -> Option<Self> {
        match code_point {
            HYBRID => Some(Self::Hybrid),
            CLASSICAL => Some(Self::Classical),
            _ => None,
        }
    }

    /// The suite for a group of these devices: hybrid if every certificate names it, else classical.
    ///
    /// Whether all of them support the classical suite shows when they are added.
    pub fn negotiate(certificates: &[&DeviceCertificate]) -> Self {
        let is_hybrid = certificates.iter().all(|certificate| certificate.supports(HYBRID));
        if is_hybrid { Self::Hybrid } else { Self::Classical }
    }

    pub(super) const fn ciphersuite(self) -> Ciphersuite {
        match self {
            Self::Hybrid => Ciphersuite::MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519,
            Self::Classical => Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519,
        }
    }

    pub(super) fn from_ciphersuite(ciphersuite: Ciphersuite) -> Option<Self> {
        Self::from_code_point(u16::from(ciphersuite))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{DeviceSecret, IdentityKey};
    use crate::ids::NodeKey;

    fn certificate(suites: &[u16]) -> DeviceCertificate {
        let device = DeviceSecret::from_seed(&[2; 32]).public();
        let node = NodeKey::from_bytes([3; 32]);
        DeviceCertificate::issue(&IdentityKey::from_seed(&[1; 32]), device, node, suites, 0).unwrap()
    }

    #[test]
    fn code_points_are_those_of_openmls() {
        for suite in Suite::ALL {
            assert_eq!(u16::from(suite.ciphersuite()), suite.code_point());
            assert_eq!(Suite::from_code_point(suite.code_point()), Some(suite));
            assert_eq!(Suite::from_ciphersuite(suite.ciphersuite()), Some(suite));
        }
        assert_eq!(Suite::from_code_point(0x004D), None);
    }

    #[test]
    fn one_classical_device_makes_a_classical_group() {
        let (hybrid, classical) = (certificate(&[HYBRID, CLASSICAL]), certificate(&[CLASSICAL]));
        assert_eq!(Suite::negotiate(&[&hybrid, &hybrid]), Suite::Hybrid);
        assert_eq!(Suite::negotiate(&[&hybrid, &classical]), Suite::Classical);
        assert_eq!(Suite::negotiate(&[]), Suite::Hybrid);
    }
}
