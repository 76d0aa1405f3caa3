//! Backups through the daemon: written while it runs, restored into a node without an identity.

use std::fs;

use qpq_proto::v1::{
    CreateBackupRequest, CreateIdentityRequest, NodeStatusRequest, RestoreBackupRequest, ShowIdentityRequest,
    VerifyBackupRequest,
};
use qpq_proto::{CallError, Failure, Status};

use crate::daemon::Home;

const PASSPHRASE: &[u8] = b"correct horse battery staple";

fn failure<R: std::fmt::Debug>(result: Result<R, CallError>) -> Failure {
    match result {
        Err(CallError::Failure(failure)) => failure,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_backup_makes_another_node_the_same_person() {
    let (old, new) = (Home::new(), Home::new());
    let path = old.path("qpq.backup").display().to_string();
    let create = CreateBackupRequest { path: path.clone(), passphrase: PASSPHRASE.to_vec() };
    let verify = VerifyBackupRequest { path: path.clone(), passphrase: PASSPHRASE.to_vec() };
    let restore = RestoreBackupRequest { path: path.clone(), passphrase: PASSPHRASE.to_vec() };

    let daemon = old.start();
    let client = daemon.client().await;
    assert_eq!(failure(client.create_backup(&create).await).status, Status::NotFound, "there is nobody yet");
    client.create_identity(&CreateIdentityRequest { name: "alice".to_owned() }).await.unwrap();
    let before = client.show_identity(&ShowIdentityRequest {}).await.unwrap();
    let made = client.create_backup(&create).await.unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), made.bytes);
    assert_eq!(failure(client.create_backup(&create).await).status, Status::Conflict, "it exists");
    let held = client.verify_backup(&verify).await.unwrap();
    assert_eq!((held.name.as_str(), &held.identity), ("alice", &before.identity));
    assert!(held.created_at_ms > 0);
    assert_eq!(failure(client.restore_backup(&restore).await).status, Status::Conflict, "somebody is here");
    daemon.stop();

    let daemon = new.start();
    let client = daemon.client().await;
    let wrong = VerifyBackupRequest { passphrase: b"incorrect horse".to_vec(), ..verify };
    let refused = failure(client.verify_backup(&wrong).await);
    assert_eq!((refused.status, refused.field.as_str()), (Status::Conflict, "passphrase"));
    let restored = client.restore_backup(&restore).await.unwrap();
    assert_eq!((restored.name.as_str(), &restored.identity), ("alice", &before.identity));
    let after = client.show_identity(&ShowIdentityRequest {}).await.unwrap();
    assert_eq!(after.identity, before.identity);
    assert_ne!((after.device, after.node), (before.device, before.node), "a restored node is a new device");
    daemon.stop();

    let daemon = new.start();
    let status = daemon.client().await.node_status(&NodeStatusRequest {}).await.unwrap();
    assert_eq!(status.identities[0].name, "alice");
    daemon.stop();
}

#[tokio::test]
async fn a_damaged_backup_leaves_the_node_as_it_was() {
    let home = Home::new();
    let path = home.path("qpq.backup");
    let daemon = home.start();
    let client = daemon.client().await;
    let request = RestoreBackupRequest { path: path.display().to_string(), passphrase: PASSPHRASE.to_vec() };
    assert_eq!(failure(client.restore_backup(&request).await).status, Status::NotFound);
    fs::write(&path, b"not a backup").unwrap();
    let refused = failure(client.restore_backup(&request).await);
    assert_eq!((refused.status, refused.field.as_str()), (Status::Conflict, "path"));
    let status = client.node_status(&NodeStatusRequest {}).await.unwrap();
    assert!(status.identities.is_empty());
    daemon.stop();
}
