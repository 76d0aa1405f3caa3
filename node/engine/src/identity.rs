//! The person this node serves: its keys, its device, and how it presents itself.

use qpq_crypto::{
    certificate::DeviceCertificate,
    device_list::DeviceList,
    hybrid::HybridSecret,
    identity::{DeviceSecret, IdentityKey},
    mls,
    signature::Domain,
    text,
};
use qpq_proto::{
    Failure,
    ids::NodeKey,
    v1::{CreateIdentityRequest, CreateIdentityResponse, Profile, ShowIdentityResponse},
};
use zeroize::Zeroizing;

use crate::{
    context::Context,
    engine::Engine,
    input::EngineError,
    records::IdentityRecord,
    storage::Transaction,
    tables::{self, IDENTITY, SINGLE},
};

/// Single-use key packages handed to each contact, beside one last-resort package.
const SINGLE_USE_PACKAGES: usize = 2;

/// The person's keys, as they are used.
pub(crate) struct Me {
    pub identity: IdentityKey,
    pub device: DeviceSecret,
    pub hybrid: HybridSecret,
    pub hybrid_signature: Vec<u8>,
    pub certificate: DeviceCertificate,
    pub device_list: Vec<u8>,
    pub device_list_sequence: u64,
    pub name: String,
    pub created_at_ms: u64,
}

impl Me {
    /// Reads the person from storage; `None` before `init`.
    pub(crate) fn load(tx: &dyn Transaction) -> Result<Option<Self>, EngineError> {
        let record: Option<IdentityRecord> = tables::load(tx, IDENTITY, tables::key(SINGLE))?;
        record.map(|record| Self::from_record(&record)).transpose()
    }

    fn from_record(record: &IdentityRecord) -> Result<Self, EngineError> {
        let device = DeviceSecret::from_seed(&*seed(&record.device_seed)?);
        let list = DeviceList::decode_and_verify(&record.device_list).map_err(|error| corrupt(&error))?;
        let certificate = list
            .contains(&device.public())
            .ok_or_else(|| corrupt(&"the device is not in its own list"))?
            .clone();
        Ok(Self {
            identity: IdentityKey::from_seed(&*seed(&record.identity_seed)?),
            device,
            hybrid: HybridSecret::from_seed(&*seed(&record.hybrid_seed)?),
            hybrid_signature: record.hybrid_signature.clone(),
            certificate,
            device_list: record.device_list.clone(),
            device_list_sequence: list.sequence,
            name: record.name.clone(),
            created_at_ms: record.created_at_ms,
        })
    }

    pub(crate) fn id(&self) -> Vec<u8> {
        self.identity.public().as_bytes().to_vec()
    }

    pub(crate) fn is(&self, identity: &[u8]) -> bool {
        self.identity.public().as_bytes() == identity
    }

    /// What an MLS operation needs.
    pub(crate) fn mls<'a>(&'a self, cx: &'a mut Context<'_>) -> mls::Context<'a> {
        mls::Context {
            storage: cx.tx.secrets(),
            rng: &mut *cx.rng,
            device: &self.device,
            certificate: &self.certificate,
        }
    }
}

impl Engine {
    /// The person, or a failure that says what to do.
    pub(crate) fn me(&self) -> Result<&Me, Failure> {
        self.me
            .as_ref()
            .ok_or_else(|| Failure::conflict("this node has no identity yet: run `qpq init --name NAME`"))
    }

    pub(crate) fn create_identity(
        &mut self,
        cx: &mut Context<'_>,
        request: &CreateIdentityRequest,
    ) -> Result<CreateIdentityResponse, Failure> {
        if let Some(me) = &self.me {
            return Err(Failure::conflict(format!("this node already has an identity, named {}", me.name)));
        }
        let name = checked_name("name", &request.name)?;
        let identity = IdentityKey::generate(cx.rng);
        let me = new_device(cx, self.config.node, &identity, None, name)?;
        let response = CreateIdentityResponse {
            identity: me.id(),
            name: me.name.clone(),
            device: me.device.public().as_bytes().to_vec(),
            node: self.config.node.as_bytes().to_vec(),
        };
        self.me = Some(me);
        self.routes = None;
        Ok(response)
    }

    pub(crate) fn show_identity(&self) -> Result<ShowIdentityResponse, Failure> {
        let me = self.me()?;
        Ok(ShowIdentityResponse {
            identity: me.id(),
            name: me.name.clone(),
            device: me.device.public().as_bytes().to_vec(),
            node: self.config.node.as_bytes().to_vec(),
            created_at_ms: me.created_at_ms,
            device_list_sequence: me.device_list_sequence,
            suites: me.certificate.suites.iter().map(|&suite| suite.into()).collect(),
        })
    }

    /// How this person presents itself to someone, with fresh key packages for that one's use.
    pub(crate) fn profile(&self, cx: &mut Context<'_>) -> Result<Profile, Failure> {
        let me = self.me()?;
        let mut key_packages = Vec::new();
        for suite in own_suites(me) {
            for last_resort in [false; SINGLE_USE_PACKAGES].into_iter().chain([true]) {
                if suite == mls::Suite::Classical && !last_resort && me.certificate.suites.len() > 1 {
                    continue;
                }
                let package = mls::KeyPackage::create(&mut me.mls(cx), suite, last_resort);
                let (package, _) = package.map_err(|error| mls_failure(&error))?;
                key_packages.push(package);
            }
        }
        Ok(Profile {
            name: me.name.clone(),
            hybrid_key: me.hybrid.public().to_bytes().to_vec(),
            hybrid_signature: me.hybrid_signature.clone(),
            hybrid_sequence: me.device_list_sequence,
            addresses: self.own_addresses(),
            key_packages,
        })
    }

    /// Where this node can be reached, as texts.
    pub(crate) fn own_addresses(&self) -> Vec<String> {
        self.addresses.iter().take(crate::people::ADDRESSES_MAX).map(ToString::to_string).collect()
    }
}

/// Makes and stores a device of an identity: the first one, or one that replaces all in `previous`.
pub(crate) fn new_device(
    cx: &mut Context<'_>,
    node: NodeKey,
    identity: &IdentityKey,
    previous: Option<&DeviceList>,
    name: String,
) -> Result<Me, Failure> {
    let device = DeviceSecret::generate(cx.rng);
    let hybrid = HybridSecret::generate(cx.rng);
    let suites = [mls::HYBRID, mls::CLASSICAL];
    let issued = DeviceCertificate::issue(identity, device.public(), node, &suites, cx.now.wall_ms);
    let certificate = issued.map_err(|error| internal(&error))?;
    let list = match previous {
        None => DeviceList::sign(identity, 1, [0; 32], vec![certificate], Vec::new()),
        Some(list) => {
            let revoked = list.certificates.iter().map(|old| old.device).collect();
            list.next(identity, vec![certificate], revoked)
        }
    };
    let list = list.map_err(|error| internal(&error))?;
    let key = hybrid.public();
    let hybrid_signature =
        identity.sign(Domain::HybridKey, &[&key.to_bytes(), &list.sequence.to_be_bytes()]).to_vec();
    let record = IdentityRecord {
        identity_seed: identity.seed().to_vec(),
        device_seed: device.seed().to_vec(),
        hybrid_seed: hybrid.seed().to_vec(),
        name,
        created_at_ms: cx.now.wall_ms,
        device_list: list.encode(),
        hybrid_signature,
    };
    tables::save(cx.tx, IDENTITY, tables::key(SINGLE), &record)?;
    Ok(Me::from_record(&record)?)
}

/// The suites of this device.
pub(crate) fn own_suites(me: &Me) -> impl Iterator<Item = mls::Suite> {
    me.certificate.suites.iter().filter_map(|&suite| mls::Suite::from_code_point(suite))
}

/// A name fit to be shown and typed, or a failure naming the field.
pub(crate) fn checked_name(field: &str, name: &str) -> Result<String, Failure> {
    text::check_name(name).map_err(|error| Failure::bad_request(field, error.to_string()))
}

/// An MLS failure toward the owner.
pub(crate) fn mls_failure(error: &mls::MlsError) -> Failure {
    tracing::error!(%error, "mls operation failed");
    Failure::internal()
}

fn seed(bytes: &[u8]) -> Result<Zeroizing<[u8; 32]>, EngineError> {
    bytes.try_into().map(Zeroizing::new).map_err(|_| corrupt(&"a seed is not 32 bytes long"))
}

fn corrupt(reason: &dyn std::fmt::Display) -> EngineError {
    EngineError::Corrupt { table: IDENTITY.0, reason: reason.to_string() }
}

fn internal(error: &dyn std::fmt::Display) -> Failure {
    EngineError::Internal(error.to_string()).into()
}

#[cfg(test)]
mod tests;
