//! Small worlds for tests.

use std::path::Path;

use crate::movement::contact::Interval;
use crate::movement::{Change, Contact};
use crate::scenario::Scenario;
use crate::time::{Time, seconds};
use crate::traffic::Message;

/// What a message of [`message`] takes in a store: a link of these worlds sends it in 100 ms.
pub(crate) const MESSAGE_BYTES: u64 = 10_000;

/// So many nodes that meet by a list; links of 100,000 bytes a second, buffers of three messages.
pub(crate) fn scenario(nodes: usize, duration_s: f64) -> Scenario {
    let text = format!(
        r#"
        name = "test"
        about = "a hand-made trace"
        duration_s = {duration_s:?}
        lifetime_s = {duration_s:?}
        spray_copies = 4
        [contacts]
        model = "trace"
        file = "none"
        format = "one"
        link = "radio"
        [[link]]
        name = "radio"
        rate = 100000.0
        [[group]]
        name = "all"
        count = {nodes}
        role = "mobile"
        buffer_bytes = {}
        links = ["radio"]
        movement = {{ model = "recorded" }}
        [traffic]
        interval_s = [1.0, 2.0]
        size_bytes = [1, 100]
        "#,
        3 * MESSAGE_BYTES
    );
    Scenario::parse(&text, Path::new("test")).unwrap()
}

/// Contacts from `(a, b, up, down)`, a before b, by when they begin.
pub(crate) fn intervals(list: &[(u32, u32, f64, f64)]) -> Vec<Interval> {
    let moment = Time::from_secs_f64;
    list.iter()
        .map(|&(a, b, up, down)| Interval { a, b, class: 0, up: moment(up), down: moment(down) })
        .collect()
}

/// The same as events.
pub(crate) fn contacts(list: &[(u32, u32, f64, f64)]) -> Vec<Contact> {
    let mut contacts = Vec::new();
    for Interval { a, b, class, up, down } in intervals(list) {
        contacts.push(Contact { at: up, a, b, change: Change::Up(class) });
        contacts.push(Contact { at: down, a, b, change: Change::Down });
    }
    contacts.sort_by_key(|contact| contact.at);
    contacts
}

/// A message written at this second, which lives for 100 s.
pub(crate) fn message(source: u32, recipients: &[u32], created: f64) -> Message {
    let body_bytes = u32::try_from(MESSAGE_BYTES - crate::routers::baseline::HEADER_BYTES).unwrap();
    let created = Time::from_secs_f64(created);
    Message { created, source, recipients: recipients.to_vec(), body_bytes, lifetime: seconds(100.0) }
}
