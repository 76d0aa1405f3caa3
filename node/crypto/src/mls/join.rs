//! Entering a group through a welcome (RFC 9420, section 12.4.3.1).

use openmls::group::StagedWelcome;
use openmls::prelude::{MlsMessageBodyIn, MlsMessageIn, OpenMlsProvider};
use tls_codec::Deserialize;

use super::error::{MlsError, Refusal};
use super::group::{Context, Group, GroupId, Member, group_id, join_config, record_of};
use super::roster::verified_roster;
use super::storage::StorageCache;
use super::suite::Suite;

/// A group to which we were invited, before we enter it.
#[derive(Debug)]
pub struct JoinView<'a> {
    /// Names the group.
    pub group: GroupId,
    /// The group's suite.
    pub suite: Suite,
    /// The group's record.
    pub record: &'a [u8],
    /// All members, we included, their credentials verified.
    pub members: &'a [Member],
    /// Who sent the welcome.
    pub sender: &'a Member,
    /// Our own leaf.
    pub own_leaf: u32,
    /// Whether a live branch of this group is stored here already; entering replaces it.
    pub is_known: bool,
}

impl Group {
    /// Enters the group of a welcome, if `check` lets it.
    ///
    /// The key package to which the welcome was made is used up whatever the outcome, unless it is one of
    /// last resort; a refused or invalid welcome leaves no other trace.
    ///
    /// # Errors
    /// [`MlsError::Malformed`], [`MlsError::KeyPackageUnknown`], [`MlsError::WelcomeInvalid`],
    /// [`MlsError::SuiteUnsupported`], [`MlsError::Credential`], [`MlsError::Refused`], [`MlsError::Storage`].
    pub fn join(
        cx: &mut Context<'_>,
        welcome: &[u8],
        check: &mut dyn FnMut(&JoinView<'_>) -> Result<(), Refusal>,
    ) -> Result<Self, MlsError> {
        let message = MlsMessageIn::tls_deserialize_exact(welcome).map_err(|_| MlsError::Malformed)?;
        let MlsMessageBodyIn::Welcome(welcome) = message.extract() else {
            return Err(MlsError::Malformed);
        };
        let own_device = cx.certificate.device;
        let mut cache = StorageCache::default();
        let provider = cx.provider(&mut cache);
        // Lifetimes are not looked at: a leaf of ours has none that matters, and clocks are not to be trusted.
        let staged = StagedWelcome::build_from_welcome(&provider, &join_config(), welcome)
            .and_then(|builder| builder.skip_lifetime_validation().replace_old_group().build())
            .map_err(|error| provider.explain(MlsError::from_welcome(error)))?;

        let context = staged.group_context();
        let group = group_id(context.group_id())?;
        let ciphersuite = context.ciphersuite();
        let suite =
            Suite::from_ciphersuite(ciphersuite).ok_or(MlsError::SuiteUnsupported(ciphersuite.into()))?;
        let record = record_of(context.extensions()).ok_or_else(|| {
            MlsError::WelcomeInvalid("group context extensions are not those of a group of ours".into())
        })?;
        let roster = verified_roster(staged.members(), suite)?;
        let own_leaf = staged.own_leaf_index().u32();
        if roster.get(&own_leaf).is_none_or(|certificate| certificate.device != own_device) {
            return Err(MlsError::WelcomeInvalid("own leaf is not this device's".into()));
        }
        let members: Vec<_> = roster
            .iter()
            .map(|(leaf, certificate)| Member { leaf: *leaf, certificate: certificate.clone() })
            .collect();
        let sender_leaf = staged.welcome_sender_index().u32();
        let sender =
            members.iter().find(|member| member.leaf == sender_leaf).ok_or(MlsError::SenderInvalid)?;
        let is_known = provider.storage().holds_group(&group.0)?;
        check(&JoinView { group, suite, record, members: &members, sender, own_leaf, is_known })?;

        if is_known {
            provider.storage().clear_live(&group.0)?;
        }
        let mls =
            staged.into_group(&provider).map_err(|error| provider.explain(MlsError::from_welcome(error)))?;
        drop(provider);
        Self::begin(cx, mls, roster, cache)
    }
}
