//! Carrying: what is not delivered directly goes to other nodes, and what they carry for this person comes in.
//!
//! ```text
//!              nobody there to take it                        neighbours
//!   outbox ───────────────────────────► own bundle ──────────► custody elsewhere ─── ... ──► recipient
//!     ▲                                     │                                                  │
//!     └──── delivered ◄── settled ◄─────────┴───────────── the secret, from holder to holder ◄─┘
//! ```
//!
//! An entry of the outbox travels as the very parcel that a direct delivery would bring, so that it is one delivery
//! whatever way it takes. It stays in the outbox until its recipients have it. The custody itself is `qpq-mesh`'s;
//! here it gets the transaction to write in and the routing secrets by which this person's bundles are recognised.
//!
//! A bundle that is for this person is opened by an input of its own ([`Next::Open`]): what cannot be taken must take
//! nothing else back with it. The mesh brings it again after a restart until it was told what became of it.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use qpq_mesh::{Config, Mesh, StorageError, Tier, fragment::Assembly};
use qpq_proto::ids::NodeKey;

use crate::{
    context::Context,
    engine::Engine,
    input::{Effect, EngineError, Next, Work},
    peers::Purpose,
    records::Standing,
    roles,
    storage::Transaction,
};

pub use self::store::BundleStore;
use self::{store::Recogniser, volatile::Volatile};

mod arrive;
pub(crate) use arrive::is_final;
mod calls;
mod deposit;
mod interest;
mod outcome;
mod pieces;
mod store;
mod volatile;

/// The mesh, as far as it is open.
#[derive(Debug, Default)]
pub(crate) struct Carrying {
    /// `None` until it is needed, and after a transaction that changed it was dropped.
    mesh: Option<Mesh>,
    /// The present input has changed the mesh.
    is_touched: bool,
    /// Grows with each opening, so that answers to calls of an earlier one are not taken for its own.
    generation: u64,
    /// What the mesh asks for, as far as it is not done.
    effects: VecDeque<qpq_mesh::Effect>,
    /// A look at what others should carry is planned.
    is_planned: bool,
    /// There are entries of the outbox for which there was no room here.
    lacks_room: bool,
    /// Marks of the routing secrets by which everything held was looked through.
    looked: BTreeSet<[u8; 16]>,
    /// Those of them that the present input has added.
    looked_now: BTreeSet<[u8; 16]>,
    /// Which bundles hold pieces of parcels that are not whole yet.
    pieces: Assembly,
    /// Custody of others' bundles, where it lives in memory.
    memory: Option<Volatile>,
}

impl Carrying {
    /// Nothing is open yet.
    pub(crate) fn new(custody_is_volatile: bool) -> Self {
        Self { memory: custody_is_volatile.then(Volatile::default), ..Self::default() }
    }

    /// The mesh, if it is open, and the storage that it reads and writes.
    fn parts<'a>(&'a mut self, tx: &'a mut dyn Transaction) -> (Option<&'a Mesh>, BundleStore<'a>) {
        (self.mesh.as_ref(), BundleStore { tx, memory: self.memory.as_mut() })
    }

    /// The present input's changes are kept.
    pub(crate) fn keep(&mut self) {
        if let Some(memory) = &mut self.memory {
            memory.keep();
        }
        self.is_touched = false;
        self.looked_now.clear();
    }

    /// The present input's transaction is dropped: the mesh is opened again from what is stored.
    pub(crate) fn discard(&mut self) {
        self.effects.clear();
        if let Some(memory) = &mut self.memory {
            memory.discard();
        }
        for mark in std::mem::take(&mut self.looked_now) {
            self.looked.remove(&mark);
        }
        if std::mem::take(&mut self.is_touched) {
            self.mesh = None;
            // The mesh brings what is not opened again.
            self.pieces = Assembly::default();
        }
    }

    /// When the mesh wants to be woken, in the node's time.
    pub(crate) fn wake_at_node_ms(&self) -> Option<u64> {
        self.mesh.as_ref().and_then(Mesh::wake_at)
    }
}

impl Engine {
    /// Does something with the mesh, which is opened if it is not open. What it asks for is done when the present input
    /// is over.
    pub(crate) fn with_mesh<T>(
        &mut self,
        cx: &mut Context<'_>,
        act: impl FnOnce(&mut Mesh, &mut qpq_mesh::Context<'_>) -> Result<T, StorageError>,
    ) -> Result<T, EngineError> {
        let mut mesh = match self.carrying.mesh.take() {
            Some(mesh) => mesh,
            None => self.open_mesh(cx)?,
        };
        let result = self.within_transaction(cx, |inner| act(&mut mesh, inner));
        self.carrying.mesh = Some(mesh);
        result
    }

    fn open_mesh(&mut self, cx: &mut Context<'_>) -> Result<Mesh, EngineError> {
        let links = self.standings(cx)?;
        let config = Config::new(roles::kind(cx.tx)?, &self.limits);
        let is_volatile = self.config.custody_is_volatile;
        let config = Arc::new(if is_volatile { config.in_memory(&self.limits) } else { config });
        let node = self.config.node;
        self.carrying.generation += 1;
        self.within_transaction(cx, |inner| {
            let mut mesh = Mesh::open(node, config, inner)?;
            for (node, standing) in links {
                mesh.handle(inner, qpq_mesh::Input::LinkHeld { node, standing })?;
            }
            Ok(mesh)
        })
    }

    /// Gives the mesh the present transaction to write in.
    fn within_transaction<T>(
        &mut self,
        cx: &mut Context<'_>,
        act: impl FnOnce(&mut qpq_mesh::Context<'_>) -> Result<T, StorageError>,
    ) -> Result<T, EngineError> {
        let routes = match self.routes.take() {
            Some(routes) => routes,
            None => self.collect_routes(cx)?,
        };
        let mut effects = Vec::new();
        self.carrying.is_touched = true;
        let result = act(&mut qpq_mesh::Context {
            now_ms: cx.node_ms,
            rng: &mut *cx.rng,
            store: &mut BundleStore { tx: &mut *cx.tx, memory: self.carrying.memory.as_mut() },
            interest: &mut Recogniser(&routes),
            effects: &mut effects,
        });
        self.routes = Some(routes);
        self.carrying.effects.extend(effects);
        Ok(result?)
    }

    /// Opens the mesh anew, for what it is opened with has changed.
    pub(crate) fn reopen_mesh(&mut self, cx: &mut Context<'_>) -> Result<(), EngineError> {
        self.carrying.mesh = None;
        self.mesh_input(cx, qpq_mesh::Input::Tick)
    }

    pub(crate) fn mesh_input(
        &mut self,
        cx: &mut Context<'_>,
        input: qpq_mesh::Input,
    ) -> Result<(), EngineError> {
        self.with_mesh(cx, |mesh, inner| mesh.handle(inner, input))
    }

    /// Every connected node, with how close it stands.
    fn standings(&self, cx: &Context<'_>) -> Result<Vec<(NodeKey, Tier)>, EngineError> {
        let standing = |node| Ok((node, self.standing_of_node(cx, node)?));
        self.peers.connected().into_iter().map(standing).collect()
    }

    /// How close a node stands: as close as the closest of its people.
    pub(crate) fn standing_of_node(&self, cx: &Context<'_>, node: NodeKey) -> Result<Tier, EngineError> {
        if roles::is_paired(cx.tx, node)? {
            return Ok(Tier::Paired);
        }
        for identity in self.owners_of_node(cx, node)? {
            let person = self.person(cx, &identity)?;
            if person.is_some_and(|person| person.standing() == Standing::Accepted) {
                return Ok(Tier::Contact);
            }
        }
        Ok(Tier::Stranger)
    }

    /// A connection to a node is up.
    pub(crate) fn neighbour_connected(
        &mut self,
        cx: &mut Context<'_>,
        node: NodeKey,
    ) -> Result<(), EngineError> {
        let standing = self.standing_of_node(cx, node)?;
        self.mesh_input(cx, qpq_mesh::Input::LinkUp { node, standing })?;
        self.deposit_waiting_posts(cx)?;
        self.carry_soon(cx.now);
        Ok(())
    }

    /// The time has come that the mesh named.
    pub(crate) fn mesh_tick(&mut self, cx: &mut Context<'_>) -> Result<(), EngineError> {
        if self.carrying.wake_at_node_ms().is_some_and(|at| at <= cx.node_ms) {
            self.mesh_input(cx, qpq_mesh::Input::Tick)?;
        }
        Ok(())
    }

    /// Tells the mesh how close nodes stand from now on whose people were judged anew.
    fn judge_anew(&mut self, cx: &mut Context<'_>) -> Result<(), EngineError> {
        while let Some(node) = cx.judged_anew.pop_first() {
            if self.peers.is_connected(&node) {
                let standing = self.standing_of_node(cx, node)?;
                self.mesh_input(cx, qpq_mesh::Input::Standing { node, standing })?;
            }
        }
        Ok(())
    }

    /// Does what the mesh has asked for while the present input was handled.
    pub(crate) fn finish_carrying(&mut self, cx: &mut Context<'_>) -> Result<(), EngineError> {
        self.judge_anew(cx)?;
        self.look_through(cx)?;
        while let Some(effect) = self.carrying.effects.pop_front() {
            match effect {
                qpq_mesh::Effect::Call { call, node, request } => {
                    let (method, generation) = (request.method(), self.carrying.generation);
                    let purpose = Purpose::Mesh { generation, call, method };
                    cx.effects.push(self.peers.call(node, method, request.encode(), purpose));
                }
                qpq_mesh::Effect::Mine { bundle } => cx.effects.push(Effect::Next(Next::Open(bundle))),
                qpq_mesh::Effect::Handed { id, node, durability, is_own: true, .. } => {
                    self.own_handed(cx, &id, node, durability)?
                }
                qpq_mesh::Effect::Settled { id, is_own: true, .. } => {
                    self.own_settled(cx, &id)?;
                    self.room_appeared(cx.now);
                }
                qpq_mesh::Effect::Expired { id, is_own: true } => {
                    self.own_expired(cx, &id)?;
                    self.room_appeared(cx.now);
                }
                qpq_mesh::Effect::Refused { id, .. } => self.own_without_room(cx, &id)?,
                qpq_mesh::Effect::Evicted { id } => {
                    self.carrying.pieces.forget(&id);
                    self.own_without_room(cx, &id)?;
                }
                qpq_mesh::Effect::Work { node, challenge } => {
                    cx.effects.push(Effect::Work { node, work: Work { own: self.config.node, challenge } });
                }
                qpq_mesh::Effect::Settled { id, .. } | qpq_mesh::Effect::Expired { id, .. } => {
                    self.carrying.pieces.forget(&id)
                }
                qpq_mesh::Effect::Handed { .. } => {}
            }
        }
        Ok(())
    }
}
