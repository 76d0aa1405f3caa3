//! What the owner sees of the mesh: neighbours, custody, the ways to somebody.

use std::collections::{BTreeMap, btree_map::Entry};

use qpq_mesh::{Mesh, NeighbourView, SortKey, bundle::Class, lifetime, wire::NodeKind};
use qpq_proto::{
    Failure,
    ids::NodeKey,
    limits::{PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX},
    v1::{
        BundleStatus, CustodyShare, CustodyStatus, ListBundlesRequest, ListBundlesResponse, Neighbour, Route,
        RouteNode, ShowMeshResponse, ShowRouteRequest, ShowRouteResponse,
    },
};

use crate::{
    context::Context,
    engine::Engine,
    input::EngineError,
    people::Named,
    records::{CarriedRecord, PersonRecord},
    roles::{self, kind_word, standing_word},
    tables::{self, CARRIED},
};

mod by_hand;

impl Engine {
    pub(crate) fn show_mesh(&mut self, cx: &mut Context<'_>) -> Result<ShowMeshResponse, Failure> {
        let node = self.config.node.as_bytes().to_vec();
        let (mut response, linked) = self.with_mesh(cx, |mesh, _| {
            let response = ShowMeshResponse {
                node,
                kind: kind_word(mesh.kind()).into(),
                instance: mesh.instance().to_vec(),
                custody: Some(custody_status(mesh)),
                neighbours: Vec::new(),
            };
            let linked: Vec<_> =
                mesh.neighbours().map(|view| (mesh.brought_bytes(view.node), view)).collect();
            Ok((response, linked))
        })?;
        let mut neighbours = BTreeMap::new();
        for (brought_bytes, view) in linked {
            let neighbour = self.neighbour(cx, &view, brought_bytes)?;
            neighbours.insert(view.node, neighbour);
        }
        for pair in roles::paired(cx.tx)? {
            let Ok(node) = NodeKey::try_from(pair.node.as_slice()) else { continue };
            if let Entry::Vacant(place) = neighbours.entry(node) {
                let contact = self.contact_of_node(cx, node)?;
                place.insert(Neighbour {
                    node: pair.node,
                    contact,
                    standing: "paired".into(),
                    ..Neighbour::default()
                });
            }
        }
        response.neighbours = neighbours.into_values().collect();
        Ok(response)
    }

    fn neighbour(
        &self,
        cx: &Context<'_>,
        view: &NeighbourView,
        brought_bytes: u64,
    ) -> Result<Neighbour, EngineError> {
        Ok(Neighbour {
            node: view.node.as_bytes().to_vec(),
            contact: self.contact_of_node(cx, view.node)?,
            standing: standing_word(view.standing).into(),
            kind: view.kind.map(kind_word).unwrap_or_default().into(),
            connected: true,
            known: view.known as u64,
            to_offer: view.to_offer as u64,
            to_send: view.to_send as u64,
            brought_bytes,
        })
    }

    /// The name of the first contact whose node it is; empty for others.
    fn contact_of_node(&self, cx: &Context<'_>, node: NodeKey) -> Result<String, EngineError> {
        for owner in self.owners_of_node(cx, node)? {
            if self.person(cx, &owner)?.is_some_and(|person| person.is_contact()) {
                return self.display_name(cx, &owner);
            }
        }
        Ok(String::new())
    }

    pub(crate) fn list_bundles(
        &mut self,
        cx: &mut Context<'_>,
        request: &ListBundlesRequest,
    ) -> Result<ListBundlesResponse, Failure> {
        let limit = match request.limit as usize {
            0 => PAGE_ITEMS_DEFAULT,
            limit => limit.min(PAGE_ITEMS_MAX),
        };
        let after = parse_position(&request.after)?;
        let now_ms = cx.node_ms;
        let (mut bundles, next) = self.with_mesh(cx, |mesh, _| {
            let mut views = mesh.bundles(after);
            let page: Vec<_> = views
                .by_ref()
                .take(limit)
                .map(|view| (SortKey::of(view.header), bundle_status(&view, now_ms)))
                .collect();
            let last = page.last().map(|(key, _)| key.to_bytes().to_vec());
            let next = last.filter(|_| views.next().is_some()).unwrap_or_default();
            Ok((page.into_iter().map(|(_, status)| status).collect::<Vec<_>>(), next))
        })?;
        for bundle in bundles.iter_mut().filter(|bundle| bundle.bringer.is_empty()) {
            bundle.message = self.message_of_bundle(cx, &bundle.id)?;
        }
        Ok(ListBundlesResponse { bundles, next })
    }

    /// The id of the message in an own bundle; empty for what is no message.
    fn message_of_bundle(&self, cx: &Context<'_>, id: &[u8]) -> Result<Vec<u8>, EngineError> {
        let carried: Option<CarriedRecord> = tables::load(cx.tx, CARRIED, tables::key(id))?;
        Ok(match carried {
            Some(carried) => self.message_of_entry(cx, carried)?,
            None => Vec::new(),
        })
    }

    pub(crate) fn show_route(
        &mut self,
        cx: &mut Context<'_>,
        request: &ShowRouteRequest,
    ) -> Result<ShowRouteResponse, Failure> {
        self.me()?;
        let recipients = match self.find_named(cx, &request.to)? {
            Named::Person(person) => vec![person.identity.clone()],
            Named::Group(id) => {
                let group = self.conversation_of(cx, &id)?.group_id;
                self.other_members(cx, &group).map_err(EngineError::from)?
            }
        };
        let kinds = self.with_mesh(cx, |mesh, _| Ok(mesh.neighbour_kinds().collect::<Vec<_>>()))?;
        let carriers = kinds.iter().filter(|kind| **kind == NodeKind::Carrier).count();
        let mobiles = kinds.iter().filter(|kind| **kind == NodeKind::Mobile).count();
        let waiting = self.waiting_deliveries(cx)?;
        let mut routes = Vec::new();
        for recipient in recipients {
            let Some(person) = self.person(cx, &recipient)? else { continue };
            let waiting = waiting.get(&recipient).copied().unwrap_or_default();
            routes.push(self.route_to(cx, &person, waiting, carriers + mobiles > 0)?);
        }
        Ok(ShowRouteResponse {
            routes,
            carriers: u32::try_from(carriers).unwrap_or(u32::MAX),
            mobiles: u32::try_from(mobiles).unwrap_or(u32::MAX),
        })
    }

    fn route_to(
        &self,
        cx: &Context<'_>,
        person: &PersonRecord,
        waiting: u64,
        has_carrier: bool,
    ) -> Result<Route, EngineError> {
        let nodes: Vec<_> = person
            .node_keys()
            .into_iter()
            .map(|node| RouteNode {
                node: node.as_bytes().to_vec(),
                connected: self.peers.is_connected(&node),
                addresses: person.addresses.clone(),
            })
            .collect();
        let way = match (nodes.iter().any(|node| node.connected), has_carrier) {
            (true, _) => "direct",
            (false, true) => "carried",
            (false, false) => "waiting",
        };
        Ok(Route { contact: self.display_name(cx, &person.identity)?, way: way.into(), nodes, waiting })
    }
}

fn custody_status(mesh: &Mesh) -> CustodyStatus {
    let share = |share: qpq_mesh::ShareView| CustodyShare {
        standing: standing_word(share.tier).into(),
        bytes: share.bytes,
        bytes_max: share.bytes_max,
        bundles: share.bundles as u64,
    };
    CustodyStatus {
        bytes: mesh.held_bytes(),
        bytes_max: mesh.bytes_max(),
        bundles: mesh.held() as u64,
        tombstones: mesh.tombstones() as u64,
        volatile: mesh.is_volatile(),
        shares: mesh.shares().map(share).collect(),
    }
}

fn bundle_status(view: &qpq_mesh::BundleView<'_>, now_ms: u64) -> BundleStatus {
    let kind = view.header.kind();
    BundleStatus {
        id: view.header.id().as_bytes().to_vec(),
        class: class_word(kind.class).into(),
        body_bytes: u32::try_from(kind.size.bytes()).unwrap_or(u32::MAX),
        remaining_s: lifetime::remaining_s(now_ms, view.expires_ms),
        lifetime_max_s: view.header.lifetime_max_s(),
        standing: standing_word(view.tier).into(),
        bringer: view.bringer.map(|node| node.as_bytes().to_vec()).unwrap_or_default(),
        holders: view.holders,
        copies: u32::from(view.copies),
        message: Vec::new(),
    }
}

const fn class_word(class: Class) -> &'static str {
    match class {
        Class::Control => "control",
        Class::Message => "message",
        Class::Bulk => "bulk",
        Class::Topic => "topic",
    }
}

/// Where a page goes on.
fn parse_position(after: &[u8]) -> Result<Option<SortKey>, Failure> {
    match <[u8; 16]>::try_from(after) {
        Ok(bytes) => Ok(Some(SortKey::from_bytes(bytes))),
        Err(_) if after.is_empty() => Ok(None),
        Err(_) => {
            Err(Failure::bad_request("after", "a position is 16 bytes long, as an earlier answer gave it"))
        }
    }
}
