//! One who uploads key packages, and one who fetches them: none is handed out twice.

use std::cell::RefCell;
use std::collections::VecDeque;

use qpq_crypto::digest::sha256;
use qpq_proto::v1::{FetchKeyPackageRequest, ListDevicesRequest, UploadKeyPackageRequest};
use qpq_proto::{CallError, Status};
use qpq_tests::RelayAddress;

use crate::visitor::{Arrivals, Visitor, status};

pub(crate) struct Keys {
    owner: Visitor,
    fetcher: Visitor,
    known: RefCell<Known>,
}

/// What both know.
#[derive(Default)]
struct Known {
    /// Packages by number, in the order in which they were uploaded.
    held: VecDeque<u32>,
    /// How many of the last of them are in an upload without an answer.
    uploading: usize,
    /// Whether a fetch has no answer.
    is_fetching: bool,
    /// Packages thought of.
    made: u32,
    fetches: u32,
    handed: u32,
}

/// Packages of one upload.
const TOGETHER: u32 = 3;
/// So many are enough.
const ENOUGH: usize = 40;
/// Contact tokens: each is good for sixteen fetches in one run of the relay.
const TOKENS: u32 = 64;

impl Keys {
    pub(crate) async fn arrive(arrivals: &mut Arrivals) -> Self {
        let (owner, fetcher) = (arrivals.next().await, arrivals.next().await);
        let add_token_hashes = (0..TOKENS).map(|number| sha256(&[&token(number)]).to_vec()).collect();
        let request = UploadKeyPackageRequest { add_token_hashes, ..upload(&owner, &[]) };
        owner.line().upload_key_package(&request).await.unwrap();
        Self { owner, fetcher, known: RefCell::default() }
    }

    pub(crate) async fn act(&self) {
        tokio::join!(self.upload(), self.fetch());
    }

    async fn upload(&self) {
        loop {
            let numbers = self.known.borrow_mut().next_upload();
            if numbers.is_empty() {
                self.owner.line().list_devices(&ListDevicesRequest {}).await.unwrap();
                continue;
            }
            let answer = self.owner.line().upload_key_package(&upload(&self.owner, &numbers)).await.unwrap();
            assert_eq!(answer.fingerprints.len(), numbers.len());
            self.known.borrow_mut().uploading = 0;
        }
    }

    async fn fetch(&self) {
        loop {
            let was_certain = self.known.borrow().is_certain();
            self.known.borrow_mut().is_fetching = true;
            let found = self.hand_out().await;
            let mut known = self.known.borrow_mut();
            known.is_fetching = false;
            assert!(found.is_some() || !was_certain, "a package is there");
            if let Some(number) = found {
                assert_eq!(known.held.pop_front(), Some(number), "the oldest one, once");
                known.uploading = known.uploading.min(known.held.len());
                known.handed += 1;
            }
        }
    }

    /// The number of the package that is handed out, if there is one.
    async fn hand_out(&self) -> Option<u32> {
        self.known.borrow_mut().fetches += 1;
        let number = self.known.borrow().fetches % TOKENS;
        let identity_key = self.owner.identity().to_vec();
        let request =
            FetchKeyPackageRequest { identity_key, token: token(number).to_vec(), ..Default::default() };
        match self.fetcher.line().fetch_key_package(&request).await {
            Ok(answer) => {
                let [package] = <[_; 1]>::try_from(answer.packages).unwrap();
                assert!(!package.last_resort);
                Some(u32::from_be_bytes(package.package[..4].try_into().unwrap()))
            }
            Err(refused) => {
                assert_none(&refused);
                None
            }
        }
    }

    /// What is there is handed out to the last: what was uploaded and not handed out before; the one that was being fetched
    /// may be gone, and what was being uploaded is there as a whole or not at all.
    pub(crate) async fn check(&mut self, relay: &RelayAddress) {
        self.owner.enter(relay).await;
        self.fetcher.enter(relay).await;
        let devices = self.owner.line().list_devices(&ListDevicesRequest {}).await.unwrap().devices;
        let mut found = Vec::new();
        while let Some(number) = self.hand_out().await {
            found.push(number);
        }
        assert_eq!(devices[0].key_packages as usize, found.len(), "as many as were counted");
        let known = self.known.get_mut();
        let held: Vec<u32> = known.held.drain(..).collect();
        let firsts = if known.is_fetching { 0..=1 } else { 0..=0 };
        let lasts = [held.len(), held.len() - known.uploading];
        let is_possible = firsts
            .flat_map(|first| lasts.map(|last| first..last))
            .any(|range| held.get(range).is_some_and(|held| held == found));
        assert!(is_possible, "{found:?} of {held:?}, {} of them in doubt", known.uploading);
        known.handed += u32::try_from(found.len()).unwrap();
        (known.is_fetching, known.uploading) = (false, 0);
    }

    pub(crate) fn summary(&self) -> String {
        let known = self.known.borrow();
        format!("{} key packages made, {} handed out", known.made, known.handed)
    }
}

impl Known {
    /// Whether the oldest package is surely there.
    fn is_certain(&self) -> bool {
        self.held.len() > self.uploading
    }

    fn next_upload(&mut self) -> Vec<u32> {
        if self.held.len() >= ENOUGH {
            return Vec::new();
        }
        let numbers: Vec<u32> = (self.made..self.made + TOGETHER).collect();
        self.made += TOGETHER;
        self.held.extend(&numbers);
        self.uploading = numbers.len();
        numbers
    }
}

#[track_caller]
fn assert_none(refused: &CallError) {
    assert_eq!(status(refused), Status::NotFound, "{refused}");
}

fn upload(owner: &Visitor, numbers: &[u32]) -> UploadKeyPackageRequest {
    let packages = numbers.iter().map(|number| number.to_be_bytes().repeat(100)).collect();
    UploadKeyPackageRequest { identity_key: owner.identity().to_vec(), packages, ..Default::default() }
}

fn token(number: u32) -> [u8; 32] {
    sha256(&[b"contact", &number.to_be_bytes()])
}
