//! The key under which secrets are sealed, and how it is replaced.
//!
//! redb keeps freed pages until they are used again, so deleting a secret from it deletes nothing. Secrets
//! are therefore sealed under a key of their own, and deleting for good means replacing that key: the living
//! secrets are sealed again under a new one, and the old one is overwritten.
//!
//! ```text
//! secrets.key    0  header: magic (8) | version (1) | store id (16) | checksum (16)
//!             4096  slot 0: generation (8) | key, sealed under the at-rest key (73) | checksum (16)
//!             8192  slot 1: the same
//!
//! rotation       new key into the free slot, sync        both slots hold a key
//!                all secrets sealed again, one commit    nothing needs the older key
//!                older slot overwritten at random, sync  one slot holds a key
//! ```
//! A crash in between leaves two keys: opening the store goes on with the second step. Each record lies in
//! one sector, which disks write whole. Overwriting in place is as good as the medium: a copy-on-write file
//! system or a flash controller may keep the old sector, still sealed under the at-rest key.

use std::fmt;
use std::sync::Arc;

use qpq_crypto::at_rest::{AtRestKey, SEALED_VALUE_OVERHEAD_BYTES, ValueSealer};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::error::Failure;
use crate::files::{CHECKSUM_BYTES, JOURNAL_FILE, SECRETS_KEY_FILE, SmallFile, checked, checksum};
use crate::key::SecretKey;
use crate::open::StoreId;
use crate::open_error::OpenError;
use crate::storage::Secret;

/// The table of secrets, as redb and the associated data name it.
pub(crate) const SECRETS_TABLE: &str = "secrets";

/// The sealers of the keys that are not erased: one, or two while a rotation is under way.
#[derive(Default)]
pub(crate) struct SecretSealers(Vec<Generation>);

/// What one key seals: secrets, and frames of the journal, which are to be gone with it.
struct Generation {
    number: u64,
    secrets: ValueSealer,
    frames: ValueSealer,
}

impl SecretSealers {
    /// The generation that new secrets are sealed under.
    pub(crate) fn newest(&self) -> u64 {
        self.0.iter().map(|generation| generation.number).max().unwrap_or_default()
    }

    /// The oldest generation that is not erased.
    pub(crate) fn oldest(&self) -> u64 {
        self.0.iter().map(|generation| generation.number).min().unwrap_or_default()
    }

    /// The generation a sealed secret lies under.
    pub(crate) fn generation(sealed: &[u8]) -> Option<u64> {
        sealed.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
    }

    pub(crate) fn seal(
        &self,
        rng: &mut dyn CryptoRng,
        key: &SecretKey,
        value: &[u8],
    ) -> Result<Vec<u8>, Failure> {
        let newest = self.newest();
        let sealers = self.get(newest).ok_or(Failure::Erased)?;
        let mut sealed = newest.to_be_bytes().to_vec();
        sealed.extend(sealers.secrets.seal(rng, SECRETS_TABLE, key.as_bytes(), value));
        Ok(sealed)
    }

    pub(crate) fn open(&self, key: &SecretKey, sealed: &[u8]) -> Result<Secret, Failure> {
        let damaged = || Failure::Damaged { table: SECRETS_TABLE.to_owned() };
        let (generation, sealed) = sealed.split_first_chunk().ok_or_else(damaged)?;
        let sealers = self.get(u64::from_be_bytes(*generation)).ok_or(Failure::Erased)?;
        let value = sealers.secrets.open(SECRETS_TABLE, key.as_bytes(), sealed).map_err(|_| damaged())?;
        Ok(Zeroizing::new(value))
    }

    /// Seals a frame of the journal under the [newest](Self::newest) generation, bound to where it lies.
    pub(crate) fn seal_frame(
        &self,
        rng: &mut dyn CryptoRng,
        bound: &[u8],
        batch: &[u8],
    ) -> Result<Vec<u8>, Failure> {
        let sealers = self.get(self.newest()).ok_or(Failure::Erased)?;
        Ok(sealers.frames.seal(rng, JOURNAL_FILE, bound, batch))
    }

    /// The batch in a frame, if the frame is authentic.
    pub(crate) fn open_frame(&self, generation: u64, bound: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        self.get(generation)?.frames.open(JOURNAL_FILE, bound, sealed).ok()
    }

    fn get(&self, number: u64) -> Option<&Generation> {
        self.0.iter().find(|generation| generation.number == number)
    }
}

#[cfg(test)]
impl SecretSealers {
    /// The first generation, of this key.
    pub(crate) fn for_test(key: &AtRestKey) -> Self {
        let sealer = |purpose| ValueSealer::new(key, purpose);
        Self(vec![Generation { number: 1, secrets: sealer("secrets"), frames: sealer("journal") }])
    }
}

impl fmt::Debug for SecretSealers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|generation| generation.number)).finish()
    }
}

/// The file of the secrets' key, open.
#[derive(Debug)]
pub(crate) struct SecretsKeyFile {
    file: SmallFile,
    wrapper: ValueSealer,
    slots: [Option<SlotKey>; 2],
    sealers: Arc<SecretSealers>,
}

struct SlotKey {
    generation: u64,
    key: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for SlotKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlotKey").field("generation", &self.generation).finish_non_exhaustive()
    }
}

/// The store a file of secrets' keys belongs to; `None` if it was never written.
pub(crate) fn read_header(file: &SmallFile) -> Result<Option<StoreId>, OpenError> {
    let bytes = file.read::<HEADER_BYTES>(0)?;
    if bytes == [0; HEADER_BYTES] {
        return Ok(None);
    }
    let damaged = || OpenError::Damaged(format!("{SECRETS_KEY_FILE} has no valid header"));
    let fields = checked(&bytes).and_then(|fields| fields.strip_prefix(MAGIC)).ok_or_else(damaged)?;
    match fields.split_first() {
        Some((&VERSION, id)) => id.try_into().map(StoreId::from_bytes).map(Some).map_err(|_| damaged()),
        Some((&found, _)) => Err(OpenError::Newer { found: found.into(), supported: VERSION.into() }),
        None => Err(damaged()),
    }
}

impl SecretsKeyFile {
    /// Reads the keys that are there.
    ///
    /// `is_needed`: whether there are secrets. If there are none and no key either, as in a new store, one
    /// is made.
    pub(crate) fn open(
        file: SmallFile,
        at_rest: &AtRestKey,
        id: StoreId,
        is_needed: bool,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, OpenError> {
        let wrapper = ValueSealer::new(at_rest, "secrets key");
        let slots = [read_slot(&file, &wrapper, 0)?, read_slot(&file, &wrapper, 1)?];
        let mut this = Self { file, wrapper, slots, sealers: Arc::default() };
        if this.slots.iter().all(Option::is_none) {
            if is_needed {
                return Err(OpenError::SecretsKeyLost);
            }
            this.file.write(&[(0, &header(id))])?;
            this.write_slot(0, 1, rng)?;
        }
        this.refresh();
        Ok(this)
    }

    /// What seals and opens secrets now.
    pub(crate) fn sealers(&self) -> &Arc<SecretSealers> {
        &self.sealers
    }

    /// Whether a rotation has begun and not ended.
    pub(crate) fn is_rotating(&self) -> bool {
        self.slots.iter().all(Option::is_some)
    }

    /// First step of a rotation: a new key, durable, beside the one in use.
    pub(crate) fn begin_rotation(&mut self, rng: &mut dyn CryptoRng) -> Result<(), Failure> {
        let Some(free) = self.slots.iter().position(Option::is_none) else {
            return Ok(());
        };
        self.write_slot(free, self.sealers.newest() + 1, rng)?;
        self.refresh();
        Ok(())
    }

    /// Last step of a rotation: the older key is overwritten.
    pub(crate) fn end_rotation(&mut self, rng: &mut dyn CryptoRng) -> Result<(), Failure> {
        if !self.is_rotating() {
            return Ok(());
        }
        let newest = self.sealers.newest();
        let is_newest = |slot: &Option<SlotKey>| slot.as_ref().is_some_and(|slot| slot.generation == newest);
        let older = usize::from(is_newest(&self.slots[0]));
        let mut noise = [0; SECTOR_BYTES];
        rng.fill_bytes(&mut noise);
        self.file.write(&[(slot_offset(older), &noise)])?;
        self.slots[older] = None;
        self.refresh();
        Ok(())
    }

    fn write_slot(&mut self, index: usize, generation: u64, rng: &mut dyn CryptoRng) -> Result<(), Failure> {
        let mut key = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *key);
        let generation_bytes = generation.to_be_bytes();
        let mut slot = generation_bytes.to_vec();
        slot.extend(self.wrapper.seal(rng, SECRETS_KEY_FILE, &generation_bytes, &*key));
        slot.extend(checksum(&slot));
        self.file.write(&[(slot_offset(index), &slot)])?;
        self.slots[index] = Some(SlotKey { generation, key });
        Ok(())
    }

    fn refresh(&mut self) {
        let generation = |slot: &SlotKey| {
            let key = AtRestKey::from_bytes(&slot.key);
            let sealer = |purpose| ValueSealer::new(&key, purpose);
            Generation { number: slot.generation, secrets: sealer("secrets"), frames: sealer("journal") }
        };
        self.sealers = Arc::new(SecretSealers(self.slots.iter().flatten().map(generation).collect()));
    }
}

/// The key in a slot; none if it is free, erased or was being written when the node crashed.
fn read_slot(file: &SmallFile, wrapper: &ValueSealer, index: usize) -> Result<Option<SlotKey>, OpenError> {
    let bytes = file.read::<SLOT_BYTES>(slot_offset(index))?;
    let Some((generation, sealed)) = checked(&bytes).and_then(<[u8]>::split_first_chunk::<8>) else {
        return Ok(None);
    };
    let damaged = || OpenError::Damaged(format!("slot {index} of {SECRETS_KEY_FILE} does not open"));
    let opened = wrapper.open(SECRETS_KEY_FILE, generation, sealed).map(Zeroizing::new);
    let key = opened.map_err(|_| damaged())?.as_slice().try_into().map_err(|_| damaged())?;
    Ok(Some(SlotKey { generation: u64::from_be_bytes(*generation), key: Zeroizing::new(key) }))
}

fn header(id: StoreId) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.push(VERSION);
    header.extend(id.as_bytes());
    header.extend(checksum(&header));
    header
}

fn slot_offset(index: usize) -> u64 {
    PAGE_BYTES * (1 + index as u64)
}

const MAGIC: &[u8; 8] = b"qpq-keys";
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 8 + 1 + 16 + CHECKSUM_BYTES;
const SLOT_BYTES: usize = 8 + 32 + SEALED_VALUE_OVERHEAD_BYTES + CHECKSUM_BYTES;
const SECTOR_BYTES: usize = 512;
const PAGE_BYTES: u64 = 4096;
