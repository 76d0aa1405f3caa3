//! Sets of small numbers, such as those of messages.

/// A set of small numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bits {
    words: Vec<u64>,
    count: usize,
}

impl Bits {
    /// Adds a number; false if it was there.
    pub(crate) fn insert(&mut self, number: u32) -> bool {
        let (word, bit) = place(number);
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let is_new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        self.count += usize::from(is_new);
        is_new
    }

    /// Takes a number out; false if it was not there.
    pub(crate) fn remove(&mut self, number: u32) -> bool {
        let was_there = self.contains(number);
        if was_there {
            let (word, bit) = place(number);
            self.words[word] &= !bit;
            self.count -= 1;
        }
        was_there
    }

    /// Whether a number is there.
    pub(crate) fn contains(&self, number: u32) -> bool {
        let (word, bit) = place(number);
        self.words.get(word).is_some_and(|bits| bits & bit != 0)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Those that are in none of the others, in order.
    pub(crate) fn without<'a>(&'a self, others: &'a [&Bits]) -> impl Iterator<Item = u32> + 'a {
        (0..self.words.len()).flat_map(move |word| numbers(word, self.word_without(word, others)))
    }

    /// The first from `start` on, in a circle, that is in none of the others.
    pub(crate) fn next_without(&self, start: u32, others: &[&Bits]) -> Option<u32> {
        let words = self.words.len();
        if words == 0 {
            return None;
        }
        let (first, bit) = place(start % u32::try_from(words * 64).unwrap_or(u32::MAX));
        let before = bit - 1;
        let masks = [(first, !before)].into_iter();
        let masks =
            masks.chain((1..words).map(|step| ((first + step) % words, u64::MAX))).chain([(first, before)]);
        masks
            .map(|(word, mask)| (word, self.word_without(word, others) & mask))
            .find(|(_, bits)| *bits != 0)
            .and_then(|(word, bits)| numbers(word, bits).next())
    }

    fn word_without(&self, word: usize, others: &[&Bits]) -> u64 {
        let mut bits = self.words[word];
        for other in others {
            bits &= !other.words.get(word).copied().unwrap_or(0);
        }
        bits
    }
}

/// The set of a node, of sets by node.
pub(crate) fn of(sets: &mut Vec<Bits>, node: u32) -> &mut Bits {
    if sets.len() <= node as usize {
        sets.resize_with(node as usize + 1, Bits::default);
    }
    &mut sets[node as usize]
}

fn place(number: u32) -> (usize, u64) {
    (number as usize / 64, 1 << (number % 64))
}

fn numbers(word: usize, mut bits: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let bit = (bits != 0).then(|| bits.trailing_zeros())?;
        bits &= bits - 1;
        u32::try_from(word * 64).ok().map(|base| base + bit)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn bits(numbers: &BTreeSet<u32>) -> Bits {
        let mut bits = Bits::default();
        for number in numbers {
            assert!(bits.insert(*number));
        }
        bits
    }

    proptest! {
        #[test]
        fn bits_are_a_set(
            one in prop::collection::btree_set(0_u32..300, 0..40),
            other in prop::collection::btree_set(0_u32..300, 0..40),
            start in 0_u32..400,
        ) {
            let (mut ones, others) = (bits(&one), bits(&other));
            prop_assert_eq!(ones.len(), one.len());
            let left: Vec<u32> = one.difference(&other).copied().collect();
            prop_assert_eq!(ones.without(&[&others]).collect::<Vec<_>>(), left.clone());
            let words = one.last().map_or(1, |last| last / 64 + 1) * 64;
            let from = start % words;
            let next = left.iter().find(|number| **number >= from).or(left.first());
            prop_assert_eq!(ones.next_without(start, &[&others]), next.copied());
            for number in &one {
                prop_assert!(ones.remove(*number) && !ones.remove(*number));
            }
            prop_assert_eq!(ones.without(&[]).count(), 0);
        }
    }
}
