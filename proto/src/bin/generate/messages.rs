//! Emits the messages, by `prost-build`.

use prost_build::{Config, Module};
use prost_reflect::prost::Message;
use prost_reflect::prost_types::FileDescriptorSet;

use crate::Error;

/// Fields that may be long: they share the buffer they were decoded from instead of being copied.
const SHARED_BYTES: [&str; 10] = [
    ".qpq.v1.Parcel.body",
    ".qpq.v1.MeshBundle.body",
    ".qpq.v1.Envelope.data",
    ".qpq.v1.EnqueueRequest.payload",
    ".qpq.v1.BatchEnqueueRequest.payload",
    ".qpq.v1.RelayEnqueueRequest.payload",
    ".qpq.v1.RelayBatchEnqueueRequest.payload",
    ".qpq.v1.UploadBlobRequest.chunk",
    ".qpq.v1.DownloadBlobResponse.chunk",
    ".qpq.v1.StoreRecoveryBundleRequest.bundle",
];

/// Messages that hold a secret, a token, a link or a person's words: their `Debug` shows the name alone.
const SECRET_MESSAGES: [&str; 29] = [
    "AddContactRequest",
    "BatchRecipient",
    "ContactAcceptance",
    "ContactRequest",
    "CreateBackupRequest",
    "CreateGroupLinkResponse",
    "CreateInvitationResponse",
    "CreateRelayInvitationResponse",
    "DownloadBlobRequest",
    "EnqueueRequest",
    "FetchKeyPackageRequest",
    "FetchRecoveryBundleRequest",
    "GroupRecord",
    "GroupWelcome",
    "Invitation",
    "JoinGroupRequest",
    "LoginAtRelayRequest",
    "Mailbox",
    "Message",
    "OpaqueLoginFinishResponse",
    "RegisterAtRelayRequest",
    "RegisterPushTokenRequest",
    "RestoreBackupRequest",
    "ResumeSessionRequest",
    "SendMessageRequest",
    "SetUpRecoveryResponse",
    "Text",
    "UseRecoveryCodeRequest",
    "VerifyBackupRequest",
];

/// The Rust of every message and enum of the package.
pub(crate) fn emit(descriptor_set: &[u8]) -> Result<String, Error> {
    let files = FileDescriptorSet::decode(descriptor_set)?.file;
    let package = Module::from_protobuf_package_name("qpq.v1");
    // The options are for this generator alone; their Rust would only be in the way.
    let requests = files
        .into_iter()
        .filter(|file| file.package() == "qpq.v1" && file.name() != "qpq/v1/options.proto")
        .map(|file| (package.clone(), file))
        .collect();
    let secret = SECRET_MESSAGES.map(|name| format!(".qpq.v1.{name}"));
    let mut modules = Config::new().bytes(SHARED_BYTES).skip_debug(secret).generate(requests)?;
    let messages = modules.remove(&package).ok_or("prost-build generated nothing")?;
    let redacted = SECRET_MESSAGES.map(redacted_debug).concat();
    Ok(format!("//! Every message of the package `qpq.v1`.\n\n{messages}\n{redacted}"))
}

/// A `Debug` that shows nothing of a message but its name.
fn redacted_debug(name: &str) -> String {
    format!(
        "impl ::core::fmt::Debug for {name} {{\n\
         fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {{\n\
         formatter.debug_struct(\"{name}\").finish_non_exhaustive()\n}}\n}}\n\n"
    )
}
