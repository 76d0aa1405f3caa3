//! Power cuts: a relay is killed at random moments while its users do all that its method table offers them.
//!
//! After each cut everybody comes back with the session it had and looks: what was acknowledged is there, what was not is
//! there as a whole or not at all, and nothing is there twice.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accounts;
mod blobs;
mod bundles;
mod channels;
mod devices;
mod keys;
mod log;
mod moderation;
mod queue;
mod tokens;
mod visitor;

use std::time::Duration;

use chacha20::ChaCha20Rng;
use qpq_tests::{Node, RelayAddress, relay_for_all};
use rand_core::{Rng, SeedableRng};

use accounts::Accounts;
use blobs::Blobs;
use bundles::Bundles;
use channels::Channels;
use devices::Devices;
use keys::Keys;
use moderation::Moderation;
use queue::Queue;
use tokens::Tokens;
use visitor::Arrivals;

/// How often the relay is killed; `QPQ_RELAY_CUTS` takes another number.
const CUTS: u32 = 12;
/// The longest time between the moment from which everybody is at work and the cut.
const LATEST_CUT: Duration = Duration::from_millis(200);
/// Says which moments are chosen; `QPQ_TEST_SEED` takes another.
const SEED: u64 = 7;

#[test]
fn power_cuts_lose_nothing_that_was_promised_and_repeat_nothing() {
    let number = |name: &str, usual| std::env::var(name).map_or(usual, |number| number.parse().unwrap());
    let (cuts, seed) = (number("QPQ_RELAY_CUTS", CUTS.into()), number("QPQ_TEST_SEED", SEED));
    eprintln!("seed {seed}");
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    let mut node = relay_for_all("relay");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut cast = runtime.block_on(Cast::arrive(&node));
    for _ in 0..cuts {
        let after = LATEST_CUT * (random.next_u32() % 1_000) / 1_000;
        runtime.block_on(cast.act_until_cut(&node, after));
        node.kill9();
        node.run_again();
        runtime.block_on(cast.check(&node));
    }
    runtime.block_on(cast.finish());
    assert!(!node.log().contains("ERROR"), "{}", node.log());
    eprintln!("{cuts} cuts: {}", cast.summary());
}

/// Everybody who uses the relay.
struct Cast {
    queue: Queue,
    tokens: Tokens,
    keys: Keys,
    blobs: Blobs,
    devices: Devices,
    channels: Channels,
    bundles: Bundles,
    moderation: Moderation,
    accounts: Accounts,
}

impl Cast {
    /// Everybody registers and logs in.
    async fn arrive(node: &Node) -> Self {
        let relay = RelayAddress::of(node).unwrap();
        let mut arrivals = Arrivals::new(&relay);
        Self {
            queue: Queue::arrive(&mut arrivals).await,
            tokens: Tokens::arrive(&mut arrivals).await,
            keys: Keys::arrive(&mut arrivals).await,
            blobs: Blobs::arrive(&mut arrivals).await,
            devices: Devices::arrive(&mut arrivals).await,
            channels: Channels::arrive(&mut arrivals).await,
            bundles: Bundles::arrive(&mut arrivals).await,
            moderation: Moderation::arrive(&mut arrivals, node).await,
            accounts: Accounts::arrive(arrivals).await,
        }
    }

    /// Everybody is at work until the relay is killed.
    async fn act_until_cut(&mut self, node: &Node, after: Duration) {
        let relay = RelayAddress::of(node).unwrap();
        let strike = async {
            // What is chosen is the moment of the cut, not a time to wait for something.
            tokio::time::sleep(after).await;
            node.strike();
        };
        let work = async {
            tokio::join!(
                self.queue.act(),
                self.tokens.act(&relay),
                self.keys.act(),
                self.blobs.act(),
                self.devices.act(),
                self.channels.act(),
                self.bundles.act(),
                self.moderation.act(),
                self.accounts.act(&relay),
            )
        };
        // Nobody waits for a relay that is gone: what is under way when it goes stays without an answer.
        tokio::select! {
            biased;
            () = strike => {}
            _ = work => unreachable!("nobody ever has enough"),
        }
    }

    /// Everybody comes back and looks.
    async fn check(&mut self, node: &Node) {
        let relay = RelayAddress::of(node).unwrap();
        self.queue.check(&relay).await;
        self.tokens.check(&relay).await;
        self.keys.check(&relay).await;
        self.blobs.check(&relay).await;
        self.devices.check(&relay).await;
        self.channels.check(&relay).await;
        self.bundles.check(&relay).await;
        self.moderation.check(&relay).await;
        self.accounts.check(&relay).await;
    }

    /// What can be seen of all rounds together only.
    async fn finish(&mut self) {
        self.queue.finish().await;
        self.accounts.finish().await;
    }

    fn summary(&self) -> String {
        [
            self.queue.summary(),
            self.tokens.summary(),
            self.keys.summary(),
            self.blobs.summary(),
            self.devices.summary(),
            self.channels.summary(),
            self.bundles.summary(),
            self.moderation.summary(),
            self.accounts.summary(),
        ]
        .join(", ")
    }
}
