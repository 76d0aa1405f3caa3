//! What the engine knows about how the node is; the driver adds what the network knows.

use qpq_proto::{
    Failure,
    v1::{Check, DiagnoseResponse, HealthItem, IdentitySummary, NodeStatusResponse, PeerStatus},
};

use crate::{
    context::Context,
    engine::Engine,
    input::EngineError,
    records::{ConversationRecord, PersonRecord, Standing, Verification},
    roles,
    tables::{self, CONVERSATIONS, PEOPLE},
};

impl Engine {
    pub(crate) fn node_status(&mut self, cx: &mut Context<'_>) -> Result<NodeStatusResponse, Failure> {
        let people: Vec<PersonRecord> = tables::all(cx.tx, PEOPLE)?;
        let conversations: Vec<ConversationRecord> = tables::all(cx.tx, CONVERSATIONS)?;
        let mut peers = Vec::new();
        let mut outbox_waiting = 0;
        let deliveries = self.waiting_deliveries(cx)?;
        for person in &people {
            let waiting = deliveries.get(&person.identity).copied().unwrap_or_default();
            outbox_waiting += waiting;
            if person.is_contact() || waiting > 0 {
                peers.extend(person.nodes.iter().map(|node| PeerStatus {
                    node: node.clone(),
                    contact: self.display_name(cx, &person.identity).unwrap_or_default(),
                    address: person.addresses.first().cloned().unwrap_or_default(),
                    path: "offline".into(),
                    waiting,
                    ..PeerStatus::default()
                }));
            }
        }
        let identities =
            self.me.iter().map(|me| IdentitySummary { identity: me.id(), name: me.name.clone() });
        Ok(NodeStatusResponse {
            version: self.config.version.clone(),
            node: self.config.node.as_bytes().to_vec(),
            identities: identities.collect(),
            peers,
            roles: roles::roles(cx.tx)?.names(),
            outbox_waiting,
            outbox_oldest_ms: self.oldest_delivery_ms(cx)?,
            health: self.health(cx, &people)?,
            contacts: people.iter().filter(|person| person.is_contact()).count() as u64,
            conversations: conversations.len() as u64,
            unread: conversations.iter().map(|conversation| conversation.unread).sum(),
            ..NodeStatusResponse::default()
        })
    }

    fn health(&self, cx: &Context<'_>, people: &[PersonRecord]) -> Result<Vec<HealthItem>, EngineError> {
        let mut items = Vec::new();
        if self.me.is_none() {
            items.push(HealthItem {
                code: "no-identity".into(),
                title: "this node serves nobody yet".into(),
                text: "it has no identity, so it can neither send nor receive".into(),
                severity: "warning".into(),
                fix: "qpq init --name NAME".into(),
            });
        }
        for person in people.iter().filter(|person| person.verification() == Verification::Mismatched) {
            items.push(HealthItem {
                code: "verification-mismatch".into(),
                title: format!("the safety number of @{} did not match", person.name),
                text: "sending to this contact is blocked until it is compared again".into(),
                severity: "error".into(),
                fix: format!("qpq contact verify @{}", person.name),
            });
        }
        items.extend(self.broken_health(cx)?);
        items.extend(self.relay_health(cx)?);
        for person in people.iter().filter(|person| person.is_refused) {
            items.push(HealthItem {
                code: "contact-request-failed".into(),
                title: format!("the request to @{} failed", person.name),
                text: "the link was used before, has run out or was taken back: ask for a new one".into(),
                severity: "warning".into(),
                fix: "qpq contact add LINK".into(),
            });
        }
        Ok(items)
    }

    pub(crate) fn diagnose(&mut self, cx: &mut Context<'_>) -> Result<DiagnoseResponse, Failure> {
        let people: Vec<PersonRecord> = tables::all(cx.tx, PEOPLE)?;
        let mut checks = vec![match &self.me {
            Some(me) => ok("identity", format!("this node serves {}", me.name)),
            None => Check {
                name: "identity".into(),
                outcome: "warn".into(),
                text: "this node has no identity yet".into(),
                fix: "qpq init --name NAME".into(),
            },
        }];
        let pending: Vec<&str> = people
            .iter()
            .filter(|person| person.standing() == Standing::Pending)
            .map(|person| person.name.as_str())
            .collect();
        checks.push(match pending.first() {
            None => ok("requests", "no contact request waits".into()),
            Some(name) => Check {
                name: "requests".into(),
                outcome: "warn".into(),
                text: match pending.len() {
                    1 => "a contact request waits for an answer".into(),
                    count => format!("{count} contact requests wait for an answer"),
                },
                fix: format!("qpq contact accept @{name}"),
            },
        });
        let waiting: u64 = self.waiting_deliveries(cx)?.values().sum();
        checks.push(ok("outbox", format!("{waiting} deliveries wait")));
        checks.extend(self.broken_checks(cx)?);
        checks.extend(self.relay_checks(cx)?);
        Ok(DiagnoseResponse { checks })
    }
}

fn ok(name: &str, text: String) -> Check {
    Check { name: name.into(), outcome: "ok".into(), text, fix: String::new() }
}
