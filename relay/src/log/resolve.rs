//! Who is behind a name, and the name of an identity.

use qpq_crypto::transparency::Subject;
use qpq_proto::Failure;
use qpq_proto::ids::Identity;
use qpq_proto::v1::{
    ResolveIdentityRequest, ResolveIdentityResponse, ResolveUserRequest, ResolveUserResponse,
};

use super::head::inclusion;
use super::lookup::Lookup;
use super::store;
use crate::accounts::{account, username_field};
use crate::context::Context;
use crate::relay::Relay;

impl Relay {
    pub(crate) fn resolve_user(
        &self,
        cx: &mut Context<'_>,
        request: &ResolveUserRequest,
    ) -> Result<ResolveUserResponse, Failure> {
        let username = username_field(&request.username)?;
        let looked_up = self.look_up(cx, Subject::Name(&username), request.last_tree_size)?;
        let Lookup { found, proof, consistency, tree_head } = looked_up;
        let found = found.unwrap_or_default();
        Ok(ResolveUserResponse {
            identity_key: found.identity,
            version: found.version,
            proof: Some(proof),
            consistency,
            tree_head: Some(tree_head),
        })
    }

    /// Proves no more than that the name's newest entry is in the log: that the identity is behind the name is proved
    /// by the answer to a question about the name.
    pub(crate) fn resolve_identity(
        &self,
        cx: &mut Context<'_>,
        request: &ResolveIdentityRequest,
    ) -> Result<ResolveIdentityResponse, Failure> {
        let identity = Identity::try_from(request.identity_key.as_slice())
            .map_err(|error| error.in_field("identity_key"))?;
        let nobody = || Failure::not_found("nobody with this identity has an account here");
        let username = account(cx.tx, identity.as_bytes())?.ok_or_else(nobody)?.username;
        let named = store::subject(cx.tx, Subject::Name(&username))?.ok_or_else(nobody)?;
        let head = self.tree_head(cx)?;
        Ok(ResolveIdentityResponse {
            inclusion: Some(inclusion(cx.tx, named.index, &head)?),
            username,
            profile: Vec::new(),
            tree_head: Some((&head).into()),
        })
    }
}
