//! What a relay answers.

use bytes::Bytes;
use prost::Message;
use qpq_crypto::{
    account::{session_token_hash, verify_login, verify_possession, verify_session},
    digest::{delivery_id, sha256},
    opaque::{Account, OpaqueSetup},
};
use qpq_proto::{
    Failure, Method,
    ids::{DeviceKey, Identity},
    v1::{self, UploadHybridKeyRequest},
};

use super::{super::rng, Office};
use crate::CallId;

impl Office {
    pub(super) fn forget(&mut self, node: usize) {
        self.logged_in.remove(&node);
        self.pending.remove(&node);
        self.waiting.retain(|(waiting, ..)| *waiting != node);
    }

    /// Ends all sessions.
    pub(in crate::tests) fn end_sessions(&mut self) {
        self.sessions.clear();
        self.logged_in.clear();
    }

    /// Answers a call; `None` if the caller is to wait.
    pub(super) fn handle(
        &mut self,
        caller: Option<(usize, u32, CallId)>,
        method: Method,
        payload: Bytes,
        exporter: [u8; 32],
    ) -> Option<Result<Bytes, Failure>> {
        if self.is_no_relay {
            return Some(Err(Failure::forbidden("this node is no relay")));
        }
        let Some((node, run, call)) = caller else {
            return Some(match method {
                Method::Enqueue => self.enqueue(&read(payload)),
                Method::BatchEnqueue => self.enqueue_all(read(payload)),
                Method::FetchRecoveryBundle => self.fetch_bundle(&read(payload)),
                Method::FetchHybridKey => self.fetch_key(&read(payload)),
                _ => panic!("{method:?} on an anonymous connection"),
            });
        };
        Some(match method {
            Method::OpaqueRegisterStart => self.register_start(&read(payload)),
            Method::OpaqueRegisterFinish => self.register_finish(&read(payload)),
            Method::OpaqueLoginStart => self.login_start(node, &read(payload)),
            Method::OpaqueLoginFinish => self.login_finish(node, &read(payload), exporter),
            Method::ResumeSession => self.resume(node, &read(payload), exporter),
            _ if !self.logged_in.contains_key(&node) => Err(Failure::unauthorized("log in first")),
            Method::RegisterMailbox => {
                let request: v1::RegisterMailboxRequest = read(payload);
                self.boxes.entry(request.mailbox).or_default();
                Ok(Bytes::new())
            }
            Method::RevokeMailbox => {
                self.boxes.remove(&read::<v1::RevokeMailboxRequest>(payload).mailbox);
                Ok(Bytes::new())
            }
            Method::StoreRecoveryBundle => self.store_bundle(self.logged_in[&node], &read(payload)),
            Method::DeleteRecoveryBundle => self.delete_bundle(self.logged_in[&node], &read(payload)),
            Method::SetDeliveryTokens => self.set_tokens(&read(payload)),
            Method::UploadHybridKey => self.keep_key(read(payload)),
            Method::FetchHybridKey => self.key_of(&read::<v1::FetchHybridKeyRequest>(payload).identity_key),
            Method::ListAdministrators | Method::ReportMessage | Method::ListReports => {
                self.moderate(self.logged_in[&node], method, payload)
            }
            Method::ResolveUser => self.resolve(&read(payload)),
            Method::CheckRevocation => {
                let mut answer = self.log.as_ref().unwrap().ended(&read(payload));
                (self.lie_of_ends)(&mut answer);
                Ok(write(&answer))
            }
            Method::Enqueue => self.enqueue_for_identity(&read(payload)),
            Method::FetchWait => {
                let v1::FetchWaitRequest { mailbox, timeout_ms, .. } = read(payload);
                let answer = self.waiting_in(&mailbox);
                if timeout_ms == 0 {
                    return Some(Ok(answer.unwrap_or_default()));
                }
                if answer.is_none() {
                    self.waiting.push((node, run, call, mailbox));
                }
                return answer.map(Ok);
            }
            Method::Ack => {
                let request: v1::AckRequest = read(payload);
                self.boxes.get_mut(&request.mailbox).unwrap().taken =
                    usize::try_from(request.seq_up_to).unwrap();
                Ok(Bytes::new())
            }
            _ => panic!("{method:?} is asked of no relay"),
        })
    }

    fn register_start(&self, request: &v1::OpaqueRegisterStartRequest) -> Result<Bytes, Failure> {
        let response = self.setup.answer_registration(&request.username, &request.request).unwrap();
        Ok(write(&v1::OpaqueRegisterStartResponse { response, policy: 0, work: None }))
    }

    fn register_finish(&mut self, request: &v1::OpaqueRegisterFinishRequest) -> Result<Bytes, Failure> {
        let identity = Identity::try_from(request.identity_key.as_slice()).unwrap();
        verify_possession(&identity, &request.username, &request.upload, &request.proof_of_possession)
            .unwrap();
        if self.accounts.contains_key(&request.username) {
            return Err(Failure::conflict("this name is taken: choose another"));
        }
        self.accounts.insert(request.username.clone(), (identity, request.upload.clone()));
        self.log.iter_mut().for_each(|log| log.set(&request.username, Some(identity)));
        Ok(write(&v1::OpaqueRegisterFinishResponse { success: true }))
    }

    fn login_start(&mut self, node: usize, request: &v1::OpaqueLoginStartRequest) -> Result<Bytes, Failure> {
        let account = self.accounts.get(&request.username);
        let account = account.map(|(identity, record)| Account { identity, record });
        let answered = self.setup.answer_login(&mut rng(8, 1), &request.username, account, &request.request);
        let (login, response) = answered.unwrap();
        self.pending.insert(node, login);
        Ok(write(&v1::OpaqueLoginStartResponse { response }))
    }

    fn login_finish(
        &mut self,
        node: usize,
        request: &v1::OpaqueLoginFinishRequest,
        exporter: [u8; 32],
    ) -> Result<Bytes, Failure> {
        let device = DeviceKey::try_from(request.device_id.as_slice()).unwrap();
        let key = self.pending.remove(&node).unwrap().finish(&request.finalization).unwrap();
        verify_login(&device, &key, &exporter, &request.device_signature).unwrap();
        let identity = Identity::try_from(request.identity_key.as_slice()).unwrap();
        let token = sha256(&[&request.finalization]);
        self.sessions.insert(session_token_hash(&token), (device, identity));
        self.logged_in.insert(node, identity);
        let transparency = Some(self.keys());
        let session_token = token.to_vec();
        Ok(write(&v1::OpaqueLoginFinishResponse { session_token, expires_at_ms: 1, transparency }))
    }

    fn resume(
        &mut self,
        node: usize,
        request: &v1::ResumeSessionRequest,
        exporter: [u8; 32],
    ) -> Result<Bytes, Failure> {
        let hash = session_token_hash(request.session_token.as_slice().try_into().unwrap());
        let Some((device, identity)) = self.sessions.get(&hash) else {
            return Err(Failure::unauthorized("the session has ended: log in again"));
        };
        verify_session(device, &hash, &exporter, &request.device_signature).unwrap();
        self.logged_in.insert(node, *identity);
        let transparency = Some(self.keys());
        Ok(write(&v1::ResumeSessionResponse { expires_at_ms: 2, transparency, ..Default::default() }))
    }

    /// The key of the log is the byte that numbers the relay: the first answers otherwise would not match the link.
    fn keys(&self) -> v1::TransparencyKeys {
        if let Some(log) = &self.log {
            return log.keys();
        }
        let number = self.setup_number();
        v1::TransparencyKeys { log_key: vec![number; 32], ..Default::default() }
    }

    fn setup_number(&self) -> u8 {
        let is_it =
            |number: &u8| OpaqueSetup::generate(&mut rng(7, *number)).as_bytes() == self.setup.as_bytes();
        (0..8).find(is_it).unwrap()
    }

    fn set_tokens(&mut self, request: &v1::SetDeliveryTokensRequest) -> Result<Bytes, Failure> {
        let tokens = &mut self.boxes.get_mut(&request.mailbox).unwrap().tokens;
        if tokens.len() + request.add_hashes.len() > self.tokens_max {
            return Err(Failure::quota("a mailbox holds no more tokens"));
        }
        let hash = |bytes: &Vec<u8>| <[u8; 32]>::try_from(bytes.as_slice()).unwrap();
        tokens.retain(|held| !request.revoke_hashes.iter().any(|revoked| hash(revoked) == *held));
        tokens.extend(request.add_hashes.iter().map(|hash| <[u8; 32]>::try_from(hash.as_slice()).unwrap()));
        Ok(write(&v1::SetDeliveryTokensResponse { held: u32::try_from(tokens.len()).unwrap() }))
    }

    /// Whoever shows a token of that person's is given its key.
    fn fetch_key(&self, request: &v1::FetchHybridKeyRequest) -> Result<Bytes, Failure> {
        let tokens = self.boxes.get(&request.mailbox).map(|mailbox| &mailbox.tokens);
        if !tokens.is_some_and(|tokens| tokens.contains(&sha256(&[&request.token]))) {
            return Err(Failure::forbidden("this person's key is given to those who show one of its tokens"));
        }
        self.key_of(&request.identity_key)
    }

    fn keep_key(&mut self, upload: UploadHybridKeyRequest) -> Result<Bytes, Failure> {
        let UploadHybridKeyRequest { hybrid_public_key, signature, sequence } = upload;
        self.hybrid_keys.push(v1::FetchHybridKeyResponse { hybrid_public_key, signature, sequence });
        Ok(Bytes::new())
    }

    /// Any of the keys held that is that person's.
    fn key_of(&self, identity: &[u8]) -> Result<Bytes, Failure> {
        let mut held = self.hybrid_keys.iter().rev();
        let found = held.find(|key| self.is_forging || crate::introductions::is_hybrid_key_of(identity, key));
        found.map(write).ok_or_else(|| Failure::not_found("no hybrid key of this person is held here"))
    }

    fn resolve(&self, request: &v1::ResolveUserRequest) -> Result<Bytes, Failure> {
        let log = self.log.as_ref().ok_or_else(|| Failure::unavailable("no log", 0))?;
        let mut answer = log.name(request);
        (self.lie)(&mut answer);
        Ok(write(&answer))
    }

    /// A delivery by somebody who is logged in, for the mailbox of an account's identity.
    fn enqueue_for_identity(&mut self, request: &v1::EnqueueRequest) -> Result<Bytes, Failure> {
        assert!(request.token.is_empty(), "nobody shows a token in a session");
        let mut owners = self.accounts.values().map(|(identity, _)| identity.as_bytes());
        if !owners.any(|owner| owner == request.mailbox.as_slice()) {
            return Err(Failure::not_found("there is no such mailbox here"));
        }
        let deliveries = &mut self.boxes.entry(request.mailbox.clone()).or_default().deliveries;
        let duplicate = deliveries.contains(&request.payload);
        if !duplicate {
            deliveries.push(request.payload.clone());
        }
        let disposition = v1::Disposition::Stored.into();
        Ok(write(&v1::EnqueueResponse { seq: 1, duplicate, disposition, delivery_proof: None }))
    }

    pub(super) fn enqueue(&mut self, request: &v1::EnqueueRequest) -> Result<Bytes, Failure> {
        let mailbox = self.boxes.get_mut(&request.mailbox).ok_or_else(no_token)?;
        if !mailbox.tokens.remove(&sha256(&[&request.token])) {
            return Err(no_token());
        }
        assert_eq!(request.delivery_id, delivery_id(&request.payload));
        let duplicate = mailbox.deliveries.contains(&request.payload);
        if !duplicate {
            mailbox.deliveries.push(request.payload.clone());
        }
        let disposition = v1::Disposition::Stored.into();
        Ok(write(&v1::EnqueueResponse { seq: 1, duplicate, disposition, delivery_proof: None }))
    }

    /// What waits in a mailbox; `None` if nothing does.
    fn waiting_in(&self, mailbox: &[u8]) -> Option<Bytes> {
        let mailbox = self.boxes.get(mailbox)?;
        let seqs = (1..).zip(&mailbox.deliveries).skip(mailbox.taken);
        let envelope =
            |(seq, data): (u64, &Bytes)| v1::Envelope { seq, data: data.clone(), ..Default::default() };
        let envelopes: Vec<v1::Envelope> = seqs.map(envelope).collect();
        (!envelopes.is_empty()).then(|| write(&v1::FetchWaitResponse { envelopes }))
    }

    /// Questions that can be answered now.
    pub(super) fn arrived(&mut self) -> Vec<(usize, u32, CallId, Bytes)> {
        let mut arrived = Vec::new();
        for (node, run, call, mailbox) in std::mem::take(&mut self.waiting) {
            match self.waiting_in(&mailbox) {
                Some(answer) => arrived.push((node, run, call, answer)),
                None => self.waiting.push((node, run, call, mailbox)),
            }
        }
        arrived
    }
}

pub(super) fn no_token() -> Failure {
    let refused = Failure::forbidden("this mailbox takes deliveries with one of its unused tokens only");
    Failure { field: "token".into(), ..refused }
}

pub(super) fn read<R: Message + Default>(payload: Bytes) -> R {
    R::decode(payload).unwrap()
}

pub(super) fn write(message: &impl Message) -> Bytes {
    message.encode_to_vec().into()
}
