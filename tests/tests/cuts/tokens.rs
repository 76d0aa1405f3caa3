//! Strangers who write into a mailbox of random name, each with a token that is good for one delivery.

use std::collections::VecDeque;

use qpq_crypto::digest::{delivery_id, sha256};
use qpq_proto::Status;
use qpq_proto::v1::{
    AckRequest, EnqueueRequest, FetchRequest, MailboxPolicy, RegisterMailboxRequest, RevokeMailboxRequest,
    SetDeliveryTokensRequest,
};
use qpq_tests::RelayAddress;

use crate::visitor::{Arrivals, Kept, Visitor, status};

pub(crate) struct Tokens {
    owner: Visitor,
    /// Number of the present mailbox, or none after it was revoked.
    mailbox: Kept<Option<u32>>,
    /// Tokens handed out so far, in order; each mailbox has its own.
    handed: Kept<u32>,
    /// The next token to be used, by whom nobody knows whether it was used.
    next: u32,
    /// Deliveries of the present mailbox that were promised, and the one under way.
    promised: VecDeque<u32>,
    under_way: Option<u32>,
    /// Whether an acknowledgement of all that was promised is under way.
    acknowledging: bool,
    delivered: u32,
}

/// Tokens that are handed out together.
const TOGETHER: u32 = 4;
/// Tokens of one mailbox.
const OF_MAILBOX: u32 = 24;

impl Tokens {
    pub(crate) async fn arrive(arrivals: &mut Arrivals) -> Self {
        let owner = arrivals.next().await;
        let (mailbox, handed) = (Kept::new(None), Kept::new(0));
        let promised = VecDeque::new();
        let (under_way, acknowledging) = (None, false);
        Self { owner, mailbox, handed, next: 0, promised, under_way, acknowledging, delivered: 0 }
    }

    pub(crate) async fn act(&mut self, relay: &RelayAddress) {
        let stranger = relay.connect().await.unwrap();
        loop {
            match *self.mailbox.known() {
                None => self.open().await,
                Some(mailbox) if *self.handed.known() == self.next && self.next == OF_MAILBOX => {
                    self.empty(mailbox).await;
                }
                Some(mailbox) if *self.handed.known() == self.next => self.hand_out(mailbox).await,
                Some(mailbox) => {
                    self.under_way = Some(self.next);
                    stranger.enqueue(&sealed(mailbox, self.next)).await.unwrap();
                    self.stored();
                    let again = stranger.enqueue(&sealed(mailbox, self.next - 1)).await.unwrap_err();
                    assert_eq!(status(&again), Status::Forbidden, "a token is good once");
                }
            }
        }
    }

    fn stored(&mut self) {
        self.promised.extend(self.under_way.take());
        self.next += 1;
        self.delivered += 1;
    }

    async fn open(&mut self) {
        let number = self.mailbox.changes;
        self.mailbox.want(Some(number));
        self.owner.line().register_mailbox(&registration(number)).await.unwrap();
        self.mailbox.done();
        (self.handed, self.next) = (Kept::new(0), 0);
    }

    async fn hand_out(&mut self, mailbox: u32) {
        let upto = self.handed.known() + TOGETHER;
        let add_hashes =
            (*self.handed.known()..upto).map(|number| sha256(&[&token(mailbox, number)]).to_vec());
        let request = SetDeliveryTokensRequest {
            mailbox: id(mailbox),
            add_hashes: add_hashes.collect(),
            ..SetDeliveryTokensRequest::default()
        };
        self.handed.want(upto);
        let held = self.owner.line().set_delivery_tokens(&request).await.unwrap().held;
        assert_eq!(held, upto - self.next, "those that are used are gone");
        self.handed.done();
    }

    /// Reads the mailbox, and revokes it.
    async fn empty(&mut self, mailbox: u32) {
        self.read(mailbox).await;
        self.mailbox.want(None);
        let request = RevokeMailboxRequest { mailbox: id(mailbox) };
        self.owner.line().revoke_mailbox(&request).await.unwrap();
        self.mailbox.done();
    }

    /// What was promised is there, once and in order, and the one under way may be.
    async fn read(&mut self, mailbox: u32) {
        let request = FetchRequest { mailbox: id(mailbox), ..FetchRequest::default() };
        let found = self.owner.line().fetch(&request).await.unwrap().envelopes;
        let numbers: Vec<u32> =
            found.iter().map(|envelope| u32::from_be_bytes(envelope.data[..4].try_into().unwrap())).collect();
        if self.under_way.is_some() && self.under_way == numbers.last().copied() {
            self.stored();
        }
        self.under_way = None;
        assert!(numbers.iter().eq(&self.promised), "{numbers:?} instead of {:?}", self.promised);
        let Some(seq_up_to) = found.last().map(|envelope| envelope.seq) else { return };
        let ack = AckRequest { mailbox: id(mailbox), seq_up_to, ..AckRequest::default() };
        self.acknowledging = true;
        self.owner.line().ack(&ack).await.unwrap();
        self.acknowledging = false;
        self.promised.clear();
    }

    pub(crate) async fn check(&mut self, relay: &RelayAddress) {
        self.owner.enter(relay).await;
        let number = self.mailbox.known().unwrap_or(self.mailbox.changes);
        let request = SetDeliveryTokensRequest { mailbox: id(number), ..SetDeliveryTokensRequest::default() };
        match self.owner.line().set_delivery_tokens(&request).await {
            Err(refused) => {
                assert_eq!(status(&refused), Status::Forbidden);
                self.mailbox.settle(None);
                self.promised.clear();
                (self.under_way, self.acknowledging) = (None, false);
            }
            Ok(answer) => self.check_mailbox(number, answer.held).await,
        }
    }

    async fn check_mailbox(&mut self, number: u32, held: u32) {
        if self.mailbox.known().is_none() {
            (self.handed, self.next) = (Kept::new(0), 0);
        }
        self.mailbox.settle(Some(number));
        self.check_promised(number).await;
        self.handed.settle(held + self.next);
    }

    /// If all was about to be acknowledged, nothing is there any more, or all of it still.
    async fn check_promised(&mut self, number: u32) {
        let request = FetchRequest { mailbox: id(number), ..FetchRequest::default() };
        let was_acknowledging = std::mem::take(&mut self.acknowledging);
        if was_acknowledging && self.owner.line().fetch(&request).await.unwrap().envelopes.is_empty() {
            self.promised.clear();
        }
        self.read(number).await;
    }

    pub(crate) fn summary(&self) -> String {
        format!("{} deliveries with tokens to {} mailboxes", self.delivered, self.mailbox.changes / 2)
    }
}

fn registration(number: u32) -> RegisterMailboxRequest {
    let policy = Some(MailboxPolicy { tokens_only: true, ..MailboxPolicy::default() });
    RegisterMailboxRequest { mailbox: id(number), policy }
}

fn id(mailbox: u32) -> Vec<u8> {
    sha256(&[b"mailbox", &mailbox.to_be_bytes()]).to_vec()
}

fn token(mailbox: u32, number: u32) -> [u8; 32] {
    sha256(&[b"token", &mailbox.to_be_bytes(), &number.to_be_bytes()])
}

/// A delivery that shows a token, and says which.
fn sealed(mailbox: u32, number: u32) -> EnqueueRequest {
    let payload = [number.to_be_bytes(), mailbox.to_be_bytes()].concat();
    EnqueueRequest {
        mailbox: id(mailbox),
        delivery_id: delivery_id(&payload).to_vec(),
        payload: payload.into(),
        token: token(mailbox, number).to_vec(),
        ..EnqueueRequest::default()
    }
}
