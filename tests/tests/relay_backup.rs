//! The backup of a relay: made while it serves, and restored on another node as the same relay.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use qpq_crypto::digest::ContentHash;
use qpq_net::direct::DirectClient;
use qpq_proto::Client;
use qpq_proto::v1::{AuditKeyTransparencyRequest, DownloadBlobRequest, FetchRequest, UploadBlobRequest};
use qpq_tests::{Node, Options, RelayAddress, RelayUser, delivery};

/// Pieces of a blob as large as one call may bring.
const PIECE_BYTES: usize = 1024 * 1024;

fn relay(name: &str) -> Node {
    let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let environment = vec![set("QPQ_RPC_LISTEN", "127.0.0.1:0"), set("QPQ_RELAY_REGISTRATION", "open")];
    Node::start_with(name, Options { environment, ..Options::default() })
}

/// Bytes that differ from place to place, and their hash.
fn blob() -> (Vec<u8>, Vec<u8>) {
    let bytes: Vec<u8> = (0..2 * PIECE_BYTES + 77).map(|at| (at ^ (at >> 9)).to_le_bytes()[0]).collect();
    let mut hash = ContentHash::default();
    hash.update(&bytes);
    (bytes, hash.finish().to_vec())
}

async fn upload(connection: &Client<DirectClient>, bytes: &[u8], hash: &[u8]) {
    let pieces = bytes.chunks(PIECE_BYTES).count();
    for (number, chunk) in bytes.chunks(PIECE_BYTES).enumerate() {
        let request = UploadBlobRequest {
            hash: hash.to_vec(),
            total_size: bytes.len() as u64,
            offset: (number * PIECE_BYTES) as u64,
            chunk: chunk.to_vec().into(),
            last: number + 1 == pieces,
            ..UploadBlobRequest::default()
        };
        connection.upload_blob(&request).await.unwrap();
    }
}

async fn download(connection: &Client<DirectClient>, hash: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let (hash, offset) = (hash.to_vec(), bytes.len() as u64);
        let request = DownloadBlobRequest { hash, offset, ..DownloadBlobRequest::default() };
        let piece = connection.download_blob(&request).await.unwrap();
        bytes.extend_from_slice(&piece.chunk);
        if bytes.len() as u64 >= piece.total_size {
            return bytes;
        }
    }
}

/// The name and root under which a relay signs its log.
async fn log(connection: &Client<DirectClient>) -> (String, Vec<u8>) {
    let request = AuditKeyTransparencyRequest { end: 9, ..AuditKeyTransparencyRequest::default() };
    let answer = connection.audit_key_transparency(&request).await.unwrap();
    (answer.keys.unwrap().origin, answer.root)
}

#[test]
fn a_relay_is_restored_with_its_users_deliveries_and_blobs() {
    let old = relay("relay");
    old.ok(&["role", "relay", "on"]);
    let (alice, bob) = (RelayUser::new(1), RelayUser::new(2));
    let (bytes, hash) = blob();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let address = RelayAddress::of(&old).unwrap();
    let (token, signed) = runtime.block_on(async {
        let connection = alice.arrive(&address).await.unwrap();
        let token = alice.log_in(&connection).await.unwrap();
        let sending = bob.arrive(&address).await.unwrap();
        sending.enqueue(&delivery(alice.identity(), b"kept".to_vec())).await.unwrap();
        upload(&connection, &bytes, &hash).await;
        (token, log(&connection).await)
    });
    let file = old.folder().join("relay.backup");
    let file = file.to_str().unwrap().to_owned();
    let passphrase = old.folder().join("passphrase");
    fs::write(&passphrase, "correct horse battery staple").unwrap();
    fs::set_permissions(&passphrase, PermissionsExt::from_mode(0o600)).unwrap();
    let secret = ["--passphrase-file", passphrase.to_str().unwrap()];
    old.ok(&[&["backup", "create", &file], &secret[..]].concat());
    old.ok(&[&["backup", "verify", &file], &secret[..]].concat());

    let mut new = relay("another machine");
    new.ok(&[&["backup", "restore", &file], &secret[..]].concat());
    new.qpq(&[&["backup", "restore", &file], &secret[..]].concat()).expect_status(1);
    // It takes up the certificate when it starts.
    new.restart();
    new.ok(&["role", "relay", "on"]);
    let restored = RelayAddress { trust: address.trust.clone(), ..RelayAddress::of(&new).unwrap() };
    runtime.block_on(async {
        let connection = restored.connect().await.unwrap();
        alice.resume(&connection, &token).await.unwrap();
        let found = connection.fetch(&FetchRequest::default()).await.unwrap().envelopes;
        assert_eq!(found.iter().map(|envelope| &envelope.data[..]).collect::<Vec<_>>(), [b"kept"]);
        assert_eq!(download(&connection, &hash).await, bytes);
        assert_eq!(log(&connection).await, signed, "the same log, under the same name");
        bob.log_in(&restored.connect().await.unwrap()).await.unwrap();
        RelayUser::new(3).arrive(&restored).await.unwrap();
    });
    assert_eq!(new.ok(&["relay", "users"])["users"].as_array().unwrap().len(), 3);
}
