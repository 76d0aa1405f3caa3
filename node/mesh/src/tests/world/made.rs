//! What bundles there are in a test, and who recognises them.

use crate::{Bundle, Class, Interest, Label, Secret, SizeClass};

/// Recognises the tags of one recipient.
pub(crate) struct Recipient(pub(crate) u8);

impl Interest for Recipient {
    fn is_mine(&mut self, _: Class, _: &[u8; 8], tag: &[u8]) -> bool {
        tag.iter().all(|byte| *byte == self.0)
    }
}

/// What bundles there are in a test.
#[derive(Clone, Copy)]
pub(crate) struct Made {
    pub(crate) to: u8,
    pub(crate) class: Class,
    pub(crate) size: SizeClass,
    pub(crate) lifetime_s: u32,
    /// The recipient's device reveals a secret.
    pub(crate) settles: bool,
}

impl Made {
    pub(crate) const fn to(to: u8) -> Self {
        Self { to, class: Class::Message, size: SizeClass::Kib1, lifetime_s: 86_400, settles: true }
    }

    /// The bundle of a number: another number, another bundle.
    pub(crate) fn bundle(self, number: u64) -> Bundle {
        let mut body = vec![0; self.size.bytes()];
        body[..8].copy_from_slice(&number.to_be_bytes());
        body[8] = 0x5e;
        let secret = secret_of(&body);
        let label = Label {
            class: self.class,
            lifetime_max_s: self.lifetime_s,
            salt: number.to_le_bytes(),
            tag: [self.to; 16],
            settle: self.settles.then(|| secret.settle()),
        };
        Bundle::new(label, body.into()).unwrap()
    }
}

/// The secret lies in the body.
pub(crate) fn secret_of(body: &[u8]) -> Secret {
    let mut secret = [0; 32];
    secret.copy_from_slice(&body[..32]);
    Secret::from_bytes(secret)
}
