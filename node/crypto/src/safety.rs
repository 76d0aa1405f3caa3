//! Safety numbers: 60 digits that two people compare to know that they hold each other's true keys.
//!
//! The numeric form that Signal published: for each side version, key and stable identifier, and the key once
//! more after each, go 5,200 times through SHA-512; the first 30 bytes become 30 digits; the smaller half
//! comes first, so that both see the same. Here the key is the identity, which never changes, and there is no
//! other identifier: the second input is empty.
//!
//! A half has 30 digits, 99 bits; to find a key that imitates another's half takes 2^99 times 5,200 hashes.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;

use crate::ids::Identity;

/// Digits of a safety number.
pub const SAFETY_NUMBER_DIGITS: usize = 60;

/// The number that two people see who hold each other's true keys.
///
/// Shown as 12 groups of 5 digits; read with blanks anywhere.
#[derive(Clone, Copy)]
pub struct SafetyNumber([u8; SAFETY_NUMBER_DIGITS]);

/// Why text is not a safety number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SafetyNumberError {
    /// Something else than a digit or a blank.
    #[error("safety number holds {0:?}, which is not a digit")]
    Character(char),
    /// Fewer digits than 60.
    #[error("safety number has {0} digits, not {SAFETY_NUMBER_DIGITS}")]
    TooShort(usize),
    /// More digits than 60.
    #[error("safety number has more than {SAFETY_NUMBER_DIGITS} digits")]
    TooLong,
}

impl SafetyNumber {
    /// The number of two people, the same whoever computes it. Takes 10,400 rounds of SHA-512.
    pub fn of(one: &Identity, other: &Identity) -> Self {
        Self::from_halves(half(one.as_bytes(), b""), half(other.as_bytes(), b""))
    }

    fn from_halves(one: [u8; HALF_DIGITS], other: [u8; HALF_DIGITS]) -> Self {
        let mut digits = [0; SAFETY_NUMBER_DIGITS];
        digits[..HALF_DIGITS].copy_from_slice((&one).min(&other));
        digits[HALF_DIGITS..].copy_from_slice((&one).max(&other));
        Self(digits)
    }

    /// The 60 digits, without blanks.
    pub fn digits(&self) -> String {
        self.0.iter().map(|digit| char::from(*digit)).collect()
    }
}

impl PartialEq for SafetyNumber {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SafetyNumber {}

impl fmt::Display for SafetyNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, digit) in self.0.iter().enumerate() {
            if position > 0 && position % GROUP_DIGITS == 0 {
                formatter.write_str(" ")?;
            }
            write!(formatter, "{}", char::from(*digit))?;
        }
        Ok(())
    }
}

impl fmt::Debug for SafetyNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SafetyNumber({self})")
    }
}

impl FromStr for SafetyNumber {
    type Err = SafetyNumberError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut digits = [0; SAFETY_NUMBER_DIGITS];
        let mut count = 0;
        for character in text.chars().filter(|character| !character.is_whitespace()) {
            let digit = u8::try_from(character).ok().filter(u8::is_ascii_digit);
            let digit = digit.ok_or(SafetyNumberError::Character(character))?;
            *digits.get_mut(count).ok_or(SafetyNumberError::TooLong)? = digit;
            count += 1;
        }
        if count < SAFETY_NUMBER_DIGITS {
            return Err(SafetyNumberError::TooShort(count));
        }
        Ok(Self(digits))
    }
}

/// The digits of one side.
fn half(key: &[u8], stable_identifier: &[u8]) -> [u8; HALF_DIGITS] {
    let mut hash = Sha512::new()
        .chain_update(VERSION)
        .chain_update(key)
        .chain_update(stable_identifier)
        .chain_update(key)
        .finalize();
    for _ in 1..ITERATIONS {
        hash = Sha512::new().chain_update(hash).chain_update(key).finalize();
    }
    let mut digits = [0; HALF_DIGITS];
    for (group, bytes) in digits.chunks_exact_mut(GROUP_DIGITS).zip(hash.chunks_exact(5)) {
        let number = bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)) % 100_000;
        group.copy_from_slice(format!("{number:05}").as_bytes());
    }
    digits
}

const VERSION: [u8; 2] = [0, 0];
const ITERATIONS: usize = 5200;
const HALF_DIGITS: usize = SAFETY_NUMBER_DIGITS / 2;
const GROUP_DIGITS: usize = 5;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn agrees_with_the_published_form() {
        let key = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
        let alice = key("0506863bc66d02b40d27b8d49ca7c09e9239236f9d7d25d6fcca5ce13c7064d868");
        let bob = key("05f781b6fb32fed9ba1cf2de978d4d5da28dc34046ae814402b5c0dbd96fda907b");
        let number = SafetyNumber::from_halves(half(&alice, b"+14152222222"), half(&bob, b"+14153333333"));
        assert_eq!(number.digits(), "300354477692869396892869876765458257569162576843440918079131");
    }

    #[test]
    fn both_sides_see_the_same() {
        let [one, other, third] = [1, 2, 3].map(|byte| Identity::from_bytes([byte; 32]));
        assert_eq!(SafetyNumber::of(&one, &other), SafetyNumber::of(&other, &one));
        assert_ne!(SafetyNumber::of(&one, &other), SafetyNumber::of(&one, &third));
    }

    #[test]
    fn it_is_shown_in_groups_and_read_with_blanks_anywhere() {
        let shown = "01234 56789 01234 56789 01234 56789 01234 56789 01234 56789 01234 56789";
        let number: SafetyNumber = shown.parse().unwrap();
        assert_eq!(number.to_string(), shown);
        assert_eq!(number.digits(), shown.replace(' ', ""));
        assert_eq!(number.digits().parse(), Ok(number));
        assert_eq!(format!("\n {}\t", shown.replace("9 0", "9\u{a0}\r\n0")).parse(), Ok(number));
    }

    #[test]
    fn what_is_no_safety_number_is_refused() {
        let digits = "7".repeat(60);
        assert_eq!("".parse::<SafetyNumber>(), Err(SafetyNumberError::TooShort(0)));
        assert_eq!(digits[1..].parse::<SafetyNumber>(), Err(SafetyNumberError::TooShort(59)));
        assert_eq!(format!("{digits}7").parse::<SafetyNumber>(), Err(SafetyNumberError::TooLong));
        assert_eq!(format!("x{digits}").parse::<SafetyNumber>(), Err(SafetyNumberError::Character('x')));
        assert_eq!(
            format!("\u{661}{digits}").parse::<SafetyNumber>(),
            Err(SafetyNumberError::Character('\u{661}'))
        );
    }

    #[test]
    fn any_other_digit_makes_another_number() {
        let digits = "7".repeat(60);
        let number: SafetyNumber = digits.parse().unwrap();
        for position in 0..60 {
            let mut other = digits.clone();
            other.replace_range(position..=position, "8");
            assert_ne!(other.parse(), Ok(number));
        }
    }

    proptest! {
        #[test]
        fn text_never_panics(text: String) {
            let _ = text.parse::<SafetyNumber>();
        }
    }
}
