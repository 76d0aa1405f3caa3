//! What must hold for the method table, beyond what `protoc` checks.

use std::collections::BTreeMap;

use crate::descriptor::{FRAME_BYTES_MAX, FieldRow, MethodRow, Table};

/// Every violation, in words; empty if the table is sound.
pub(crate) fn violations(table: &Table) -> Vec<String> {
    let mut found = Vec::new();
    let mut names_by_id = BTreeMap::new();
    let mut ids_by_name = BTreeMap::new();
    for method in table.services.iter().flat_map(|service| &service.methods) {
        found.extend(violations_of(method));
        found.extend(unbounded(method, table));
        if let Some(other) = names_by_id.insert(method.id, &method.name) {
            found.push(format!("{other} and {} have the same id {}", method.name, method.id));
        }
        if ids_by_name.insert(&method.name, method.id).is_some() {
            found.push(format!("two methods are named {}", method.name));
        }
    }
    found.extend(undocumented(table));
    found
}

fn violations_of(method: &MethodRow) -> Vec<String> {
    let MethodRow { name, id, .. } = method;
    let owners = method.access.iter().any(|class| class == "Owner");
    let rules = [
        (!id_range().contains(id), "id outside of 100 to 1299"),
        (PUSH_IDS.contains(id), "id in the range of the push events"),
        (OWNER_IDS.contains(id) != owners, "owner's methods, and no others, have ids from 1100"),
        (owners && method.access.len() > 1, "an owner's method is the owner's alone"),
        (method.access.is_empty(), "nobody may call it"),
        (method.access.iter().any(|class| class == "Unspecified"), "an unspecified class may call it"),
        (has_repetition(&method.access), "a class is listed twice"),
        (method.request != format!("{name}Request"), "the request is not named after the method"),
        (method.response != format!("{name}Response"), "the response is not named after the method"),
        (method.streaming, "a call is one request and one response, never a stream"),
        (method.request_bytes_max > FRAME_BYTES_MAX, "the longest request does not fit a frame"),
        (method.response_bytes_max > FRAME_BYTES_MAX, "the longest response does not fit a frame"),
        (method.comment.is_empty(), "it has no comment"),
    ];
    rules
        .into_iter()
        .filter(|(broken, _)| *broken)
        .map(|(_, rule)| format!("{name} ({id}): {rule}"))
        .collect()
}

/// Ranges of ids: services to others, push events, the owner's own.
const fn id_range() -> std::ops::RangeInclusive<u32> {
    100..=*OWNER_IDS.end()
}

const PUSH_IDS: std::ops::RangeInclusive<u32> = 1000..=1099;
const OWNER_IDS: std::ops::RangeInclusive<u32> = 1100..=1299;

fn has_repetition(classes: &[String]) -> bool {
    classes.iter().enumerate().any(|(index, class)| classes[..index].contains(class))
}

/// Requests of others may repeat fields at the top only, where dispatch counts them before it decodes: a repeated field
/// deeper down would let two bytes on the wire become fifty in memory.
fn unbounded(method: &MethodRow, table: &Table) -> Option<String> {
    if method.access.iter().any(|class| class == "Owner") {
        return None;
    }
    let fields = |name: &String| table.messages.get(name).map_or(&[][..], |message| &message.fields);
    let mut inner: Vec<&FieldRow> = fields(&method.request)
        .iter()
        .filter_map(|field| field.refers_to.as_ref())
        .flat_map(fields)
        .collect();
    while let Some(field) = inner.pop() {
        if field.repeated {
            return Some(format!(
                "{} ({}): {} is repeated within the request",
                method.name, method.id, field.name
            ));
        }
        inner.extend(field.refers_to.iter().flat_map(fields));
    }
    None
}

fn undocumented(table: &Table) -> Vec<String> {
    let mut found = Vec::new();
    let mut require = |comment: &str, what: String| {
        if comment.is_empty() {
            found.push(format!("{what} has no comment"));
        }
    };
    for service in &table.services {
        require(&service.comment, format!("service {}", service.name));
    }
    for (name, message) in &table.messages {
        require(&message.comment, format!("message {name}"));
        for field in &message.fields {
            require(&field.comment, format!("field {name}.{}", field.name));
        }
    }
    for (name, row) in &table.enums {
        require(&row.comment, format!("enum {name}"));
        for (value, _, comment) in &row.values {
            require(comment, format!("value {value}"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descriptor::{MessageRow, ServiceRow};

    fn sound(name: &str, id: u32) -> MethodRow {
        MethodRow {
            id,
            name: name.to_owned(),
            comment: "Does it.".to_owned(),
            access: vec!["Session".to_owned()],
            request: format!("{name}Request"),
            response: format!("{name}Response"),
            streaming: false,
            request_bytes_max: 65_536,
            response_bytes_max: FRAME_BYTES_MAX,
        }
    }

    fn found(methods: Vec<MethodRow>) -> Vec<String> {
        let service = ServiceRow { name: "Some".to_owned(), comment: "Some.".to_owned(), methods };
        violations(&Table { services: vec![service], messages: BTreeMap::new(), enums: BTreeMap::new() })
    }

    #[test]
    fn a_sound_table_has_no_violations() {
        let owner = MethodRow { access: vec!["Owner".to_owned()], ..sound("Mine", 1100) };
        assert!(found(vec![sound("Enqueue", 200), sound("Fetch", 201), owner]).is_empty());
    }

    #[test]
    fn each_rule_is_enforced() {
        let strings = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let rows = [
            (MethodRow { id: 0, ..sound("A", 0) }, "id outside"),
            (MethodRow { id: 70_000, ..sound("A", 0) }, "id outside"),
            (sound("A", 1004), "push events"),
            (sound("A", 1100), "have ids from 1100"),
            (MethodRow { access: strings(&["Owner"]), ..sound("A", 200) }, "have ids from 1100"),
            (MethodRow { access: strings(&["Owner", "Node"]), ..sound("A", 1100) }, "the owner's alone"),
            (MethodRow { access: Vec::new(), ..sound("A", 200) }, "nobody may call"),
            (MethodRow { access: strings(&["Unspecified"]), ..sound("A", 200) }, "unspecified class"),
            (MethodRow { access: strings(&["Node", "Node"]), ..sound("A", 200) }, "listed twice"),
            (MethodRow { request: "B".to_owned(), ..sound("A", 200) }, "request is not named"),
            (MethodRow { response: "B".to_owned(), ..sound("A", 200) }, "response is not named"),
            (MethodRow { streaming: true, ..sound("A", 200) }, "never a stream"),
            (MethodRow { request_bytes_max: FRAME_BYTES_MAX + 1, ..sound("A", 200) }, "longest request"),
            (MethodRow { response_bytes_max: FRAME_BYTES_MAX + 1, ..sound("A", 200) }, "longest response"),
            (MethodRow { comment: String::new(), ..sound("A", 200) }, "no comment"),
        ];
        for (method, expected) in rows {
            let violations = found(vec![method]);
            assert!(violations.iter().any(|text| text.contains(expected)), "{expected}: {violations:?}");
        }
    }

    #[test]
    fn ids_and_names_are_unique() {
        assert_eq!(found(vec![sound("A", 200), sound("B", 200)]), ["A and B have the same id 200"]);
        assert_eq!(found(vec![sound("A", 200), sound("A", 201)]), ["two methods are named A"]);
    }

    #[test]
    fn everything_is_documented() {
        let message = MessageRow { comment: String::new(), fields: Vec::new() };
        let table = Table {
            services: Vec::new(),
            messages: BTreeMap::from([("Bare".to_owned(), message)]),
            enums: BTreeMap::new(),
        };
        assert_eq!(violations(&table), ["message Bare has no comment"]);
    }

    #[test]
    fn a_request_repeats_fields_at_the_top_only() {
        let field = |refers_to: Option<&str>, repeated| FieldRow {
            name: "deep".to_owned(),
            number: 1,
            repeated,
            kind: String::new(),
            refers_to: refers_to.map(str::to_owned),
            one_of: None,
            comment: "Some.".to_owned(),
        };
        for (access, repeated, expected) in [("Node", true, 1), ("Node", false, 0), ("Owner", true, 0)] {
            let message = |fields| MessageRow { comment: "Some.".to_owned(), fields };
            let messages = BTreeMap::from([
                ("ARequest".to_owned(), message(vec![field(Some("Inner"), true)])),
                ("Inner".to_owned(), message(vec![field(None, repeated)])),
            ]);
            let id = if access == "Owner" { 1100 } else { 200 };
            let methods = vec![MethodRow { access: vec![access.to_owned()], ..sound("A", id) }];
            let services = vec![ServiceRow { name: "Some".to_owned(), comment: "Some.".to_owned(), methods }];
            let found = violations(&Table { services, messages, enums: BTreeMap::new() });
            assert_eq!(found.len(), expected, "{found:?}");
        }
    }
}
