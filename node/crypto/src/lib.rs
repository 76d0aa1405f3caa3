//! Identity, device certificates, MLS groups, sealed bodies, at-rest keys.
//!
//! The only crate that names a cipher. It has no clock, socket, file or generator of its own: time is an
//! argument, and randomness is a `&mut dyn CryptoRng` that the caller seeds.
//!
//! | module | what it holds |
//! |---|---|
//! | [`identity`], [`signature`] | Ed25519 keys, and what exactly a signature covers |
//! | [`certificate`], [`device_list`] | which devices speak for a person |
//! | [`mls`] | groups |
//! | [`hybrid`], [`sealed`] | X-Wing keys, and bodies sealed to them |
//! | [`route`], [`padding`], [`digest`] | what a carrier sees of a parcel, and what it does not |
//! | [`link`], [`safety`], [`text`] | what people pass on, compare and read |
//! | [`topic`] | keys of broadcast topics, and signed posts |
//! | [`opaque`], [`account`] | accounts of a relay: passwords, and what is signed to use one |
//! | [`vrf`], [`transparency`] | the log in which a relay shows everybody the same identity behind a name |
//! | [`report`] | what administrators of a relay are told, and nobody else |
//! | [`work`] | what somebody unknown spends before it is served |
//! | [`at_rest`], [`passphrase`], [`backup`] | what lies on a disk |
//! | [`recovery`] | codes on paper, and what a relay keeps for them |
//! | [`key_value`] | the storage on which OpenMLS's state is kept |

pub mod account;
pub mod at_rest;
pub mod backup;
pub mod certificate;
pub mod delivery_token;
pub mod device_list;
pub mod digest;
mod encoding;
pub mod hybrid;
pub mod identity;
pub mod ids;
pub mod key_value;
pub mod link;
pub mod mls;
pub mod opaque;
pub mod padding;
pub mod passphrase;
pub mod recovery;
pub mod relay_link;
pub mod report;
pub mod route;
pub mod safety;
pub mod sealed;
pub mod signature;
pub mod text;
pub mod topic;
pub mod transparency;
pub mod vrf;
pub mod work;
