//! One run: a scenario, a seed, a router.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::movement::{Contact, ContactError, contact, contacts};
use crate::oracle;
use crate::random::Random;
use crate::report::Figures;
use crate::routers::RouterKind;
use crate::routers::baseline::Baseline;
use crate::routers::direct::Direct;
use crate::routers::epidemic::Epidemic;
use crate::routers::ours::Ours;
use crate::routers::prophet::Prophet;
use crate::routers::spray::Spray;
use crate::scenario::{Node, Padding, Scenario};
use crate::traffic::{Message, messages};
use crate::watch::Watch;
use crate::world::{Outcome, World};

/// How much nodes can keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Buffers {
    /// What the scenario says.
    #[default]
    Scenario,
    /// Everything.
    Unlimited,
}

/// Where nodes of ours keep custody. Figures are the same but for what crashes take.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum StoreKind {
    /// In memory.
    #[default]
    Memory,
    /// In the real database, on a disk in memory that fails and loses power.
    Redb,
    /// Carriers in the real database, on files in this folder; everybody else in memory.
    Files(PathBuf),
}

/// A scenario under a seed: what every router meets.
#[derive(Debug, Clone)]
pub struct Setting {
    scenario: Arc<Scenario>,
    seed: u64,
    contacts: Arc<[Contact]>,
    messages: Arc<[Message]>,
    store: StoreKind,
    watch: Option<Arc<dyn Watch>>,
}

impl Setting {
    /// Draws contacts and messages.
    pub fn new(scenario: Scenario, seed: u64) -> Result<Self, ContactError> {
        let contacts = contacts(&scenario, seed)?.into();
        let messages = messages(&scenario, seed).into();
        let share = scenario.faults.map_or(0.0, |faults| faults.redb_share);
        let is_redb = Random::new(seed, "store", 0).chance(share);
        let store = if is_redb { StoreKind::Redb } else { StoreKind::Memory };
        Ok(Self { scenario: Arc::new(scenario), seed, contacts, messages, store, watch: None })
    }

    /// With another store than the scenario says for this seed.
    #[must_use]
    pub fn with_store(mut self, store: StoreKind) -> Self {
        self.store = store;
        self
    }

    /// With somebody who watches carriers of ours.
    #[must_use]
    pub fn with_watch(mut self, watch: Arc<dyn Watch>) -> Self {
        self.watch = Some(watch);
        self
    }

    /// Whether custody lies in the real database, on a disk that fails.
    pub fn is_redb(&self) -> bool {
        self.store == StoreKind::Redb
    }

    /// Who meets whom.
    pub fn contacts(&self) -> &[Contact] {
        &self.contacts
    }

    /// Who writes what.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The routers that can be run: ours always pads, and a flood is made of calls of ours.
    pub fn routers(&self) -> &'static [RouterKind] {
        const OURS: [RouterKind; 1] = [RouterKind::Ours];
        match self.scenario.traffic.padding {
            _ if self.scenario.flood.is_some() => &OURS,
            Padding::SizeClasses => &RouterKind::ALL,
            Padding::None => &RouterKind::BASELINES,
        }
    }

    /// The same contacts and messages without a flood.
    #[must_use]
    pub fn calm(&self) -> Self {
        let calm = Scenario { flood: None, ..Scenario::clone(&self.scenario) };
        Self { scenario: Arc::new(calm), ..self.clone() }
    }

    /// Runs a router, one of [`Self::routers`]. Where somebody floods the network, it is run without the flood too.
    pub fn run(&self, router: RouterKind, buffers: Buffers) -> Figures {
        let figures = self.run_once(router, buffers);
        if self.scenario.flood.is_none() {
            return figures;
        }
        figures.compared_with_calm(&self.calm().run_once(router, buffers))
    }

    fn run_once(&self, router: RouterKind, buffers: Buffers) -> Figures {
        let begins = Instant::now();
        let outcome = self.outcome(router, buffers);
        let wall_s = begins.elapsed().as_secs_f64();
        Figures::new(&self.scenario, self.seed, router, buffers, outcome, wall_s)
    }

    /// The delays of the omniscient bound, in seconds, and how many pairs of a message and a recipient there are.
    pub fn bound(&self) -> (Vec<f64>, u64) {
        let intervals = contact::intervals(&self.contacts, &self.scenario);
        let created = self.messages.iter().map(|message| message.recipients.len() as u64).sum();
        (oracle::least_delays_s(&self.scenario, &intervals, &self.messages), created)
    }

    fn outcome(&self, router: RouterKind, buffers: Buffers) -> Outcome {
        let nodes = self.nodes(buffers);
        let (contacts, messages) = (&*self.contacts, &*self.messages);
        let world = World { scenario: &self.scenario, nodes: &nodes, contacts, messages, seed: self.seed };
        match router {
            RouterKind::Direct => world.run(&mut Baseline::new(Direct, &nodes)),
            RouterKind::Epidemic => world.run(&mut Baseline::new(Epidemic, &nodes)),
            RouterKind::Spray => {
                world.run(&mut Baseline::new(Spray { copies: self.scenario.spray_copies }, &nodes))
            }
            RouterKind::Prophet => {
                world.run(&mut Baseline::new(Prophet::new(self.scenario.prophet, nodes.len()), &nodes))
            }
            RouterKind::Ours => {
                let ours = Ours::new(&self.scenario, &nodes, self.seed, &self.store);
                let ours = ours.expect("a folder in which stores can be made");
                world.run(&mut ours.with_watch(self.watch.clone()))
            }
        }
    }

    fn nodes(&self, buffers: Buffers) -> Vec<Node> {
        let mut nodes = self.scenario.nodes();
        if buffers == Buffers::Unlimited {
            nodes.iter_mut().for_each(|node| node.buffer_bytes = None);
        }
        nodes
    }
}
