//! One who stores recovery bundles, each newer than the one before, and deletes them.

use qpq_crypto::digest::sha256;
use qpq_proto::Status;
use qpq_proto::v1::{DeleteRecoveryBundleRequest, FetchRecoveryBundleRequest, StoreRecoveryBundleRequest};
use qpq_tests::RelayAddress;

use crate::visitor::{Arrivals, Kept, Visitor, status};

pub(crate) struct Bundles {
    owner: Visitor,
    /// The version under each token, if there is one.
    versions: [Kept<Option<u64>>; 2],
    /// The newest version that was thought of.
    newest: u64,
}

const DELETED_EVERY: u64 = 5;

impl Bundles {
    pub(crate) async fn arrive(arrivals: &mut Arrivals) -> Self {
        let owner = arrivals.next().await;
        Self { owner, versions: [Kept::new(None), Kept::new(None)], newest: 0 }
    }

    pub(crate) async fn act(&mut self) {
        loop {
            self.newest += 1;
            let token = u8::try_from(self.newest % 2).unwrap();
            let kept = &mut self.versions[usize::from(token)];
            let token_hash = sha256(&[&[token; 32]]).to_vec();
            if self.newest.is_multiple_of(DELETED_EVERY) && kept.known().is_some() {
                kept.want(None);
                let request = DeleteRecoveryBundleRequest { token_hash };
                self.owner.line().delete_recovery_bundle(&request).await.unwrap();
            } else {
                kept.want(Some(self.newest));
                let (bundle, version) = (bundle(self.newest).into(), self.newest);
                let request = StoreRecoveryBundleRequest { token_hash, bundle, version };
                self.owner.line().store_recovery_bundle(&request).await.unwrap();
            }
            kept.done();
        }
    }

    pub(crate) async fn check(&mut self, relay: &RelayAddress) {
        self.owner.enter(relay).await;
        let (one, two) = tokio::join!(self.fetch(0), self.fetch(1));
        self.versions[0].settle(one);
        self.versions[1].settle(two);
    }

    /// The version of the bundle under a token.
    async fn fetch(&self, token: u8) -> Option<u64> {
        let request = FetchRecoveryBundleRequest { token: vec![token; 32] };
        match self.owner.line().fetch_recovery_bundle(&request).await {
            Ok(found) => {
                assert!(found.bundle == bundle(found.version), "the bundle of version {}", found.version);
                Some(found.version)
            }
            Err(refused) => {
                assert_eq!(status(&refused), Status::NotFound, "{refused}");
                None
            }
        }
    }

    pub(crate) fn summary(&self) -> String {
        format!("{} recovery bundles", self.versions.iter().map(|kept| kept.changes).sum::<u32>())
    }
}

fn bundle(version: u64) -> Vec<u8> {
    version.to_be_bytes().repeat(300)
}
