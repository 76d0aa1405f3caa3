//! Randomness that a seed reproduces, one stream for each concern.
//!
//! Movement, traffic, losses and protocols draw from streams of their own: the same seed gives the same contacts and
//! the same messages whatever the router does. Only additions, multiplications and comparisons are made of what is
//! drawn, no functions of a mathematics library, so that every machine gets the same run.

use chacha20::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// A stream of random values.
#[derive(Debug)]
pub struct Random(ChaCha8Rng);

impl Random {
    /// The stream of a concern (and of a number in it, such as a node's) under a seed.
    pub fn new(seed: u64, concern: &str, number: u64) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("qpq-sim random stream v1");
        hasher.update(&seed.to_le_bytes()).update(&number.to_le_bytes()).update(concern.as_bytes());
        Self(ChaCha8Rng::from_seed(*hasher.finalize().as_bytes()))
    }

    /// The generator itself, for code that takes one.
    pub fn generator(&mut self) -> &mut ChaCha8Rng {
        &mut self.0
    }

    /// A whole number below `bound`, which must not be 0.
    pub fn below(&mut self, bound: usize) -> usize {
        assert!(bound > 0, "nothing is below 0");
        // The bias of a 64-bit product is below 2^-40 for every bound in use here.
        let product = u128::from(self.0.next_u64()) * bound as u128;
        usize::try_from(product >> 64).unwrap_or(0)
    }

    /// Evenly in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        const SCALE: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.0.next_u64() >> 11) as f64 * SCALE
    }

    /// Evenly between the two bounds.
    pub fn between(&mut self, [low, high]: [f64; 2]) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Whether something of this probability happens.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Exponentially distributed with this mean, by von Neumann's comparison of uniform values.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        let mut whole = 0.0;
        loop {
            let first = self.unit();
            let mut least = first;
            let mut falling = 1;
            loop {
                let next = self.unit();
                if next >= least {
                    break;
                }
                least = next;
                falling += 1;
            }
            if falling % 2 == 1 {
                return mean * (whole + first);
            }
            whole += 1.0;
        }
    }

    /// One of them, if there are any.
    pub fn choose<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() { None } else { from.get(self.below(from.len())) }
    }

    /// Puts them into a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: u32 = 20_000;

    fn mean(mut draw: impl FnMut(&mut Random) -> f64) -> f64 {
        let mut random = Random::new(7, "test", 0);
        (0..DRAWS).map(|_| draw(&mut random)).sum::<f64>() / f64::from(DRAWS)
    }

    #[test]
    fn streams_differ_by_seed_concern_and_number_and_repeat() {
        let first = |seed, concern, number| Random::new(seed, concern, number).unit();
        let draws = [first(1, "a", 0), first(2, "a", 0), first(1, "b", 0), first(1, "a", 1)];
        for (index, draw) in draws.iter().enumerate() {
            assert!(!draws[..index].contains(draw), "{draws:?}");
        }
        assert_eq!(first(1, "a", 0), first(1, "a", 0));
    }

    #[test]
    fn distributions_have_their_means() {
        assert!((mean(|random| random.unit()) - 0.5).abs() < 0.01);
        assert!((mean(|random| random.between([2.0, 4.0])) - 3.0).abs() < 0.02);
        assert!((mean(|random| random.exponential(10.0)) - 10.0).abs() < 0.3);
        assert!((mean(|random| f64::from(u8::from(random.chance(0.3)))) - 0.3).abs() < 0.02);
        assert!((mean(|random| random.below(11) as f64) - 5.0).abs() < 0.1);
    }

    #[test]
    fn an_exponential_value_exceeds_twice_its_mean_as_often_as_it_should() {
        let share = mean(|random| f64::from(u8::from(random.exponential(1.0) > 2.0)));
        assert!((share - 0.1353).abs() < 0.01, "{share}");
    }

    #[test]
    fn shuffling_keeps_everything() {
        let mut items: Vec<u32> = (0..50).collect();
        Random::new(1, "test", 0).shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
