//! What every manifest, and every crate of state machines, has in common.

use std::fs;

use crate::assert_none;
use crate::tree::{root, sources};

/// Folders of the crates that have no clock, socket, file, thread, unordered map or global randomness.
const SANS_IO: [&str; 5] = ["proto", "node/crypto", "node/engine", "node/mesh", "relay"];

/// What the `clippy.toml` of such a crate forbids.
const FORBIDDEN: [&str; 6] = [
    "std::collections::HashMap",
    "std::collections::HashSet",
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    concat!("std::thread", "::sleep"),
    "std::thread::spawn",
];

#[test]
fn crates_of_state_machines_have_the_strict_clippy_file() {
    let mut offences = Vec::new();
    for folder in SANS_IO.iter().filter(|folder| root().join(folder).join("Cargo.toml").exists()) {
        let file = format!("{folder}/clippy.toml");
        let Ok(text) = fs::read_to_string(root().join(&file)) else {
            offences.push(format!("{file} is missing: copy proto/clippy.toml"));
            continue;
        };
        let missing = FORBIDDEN.iter().filter(|path| !text.contains(&format!("\"{path}\"")));
        offences.extend(missing.map(|path| format!("{file} does not forbid {path}: copy proto/clippy.toml")));
    }
    assert_none("crates of state machines forbid clocks, threads and unordered maps", &offences);
}

#[test]
fn every_member_inherits_the_lints() {
    let offences: Vec<String> = members()
        .filter(|(_, manifest)| manifest["lints"]["workspace"].as_bool() != Some(true))
        .map(|(path, _)| format!("{path}: add [lints] workspace = true"))
        .collect();
    assert_none("every crate of the workspace inherits its lints", &offences);
}

#[test]
fn versions_are_named_in_the_workspace_only() {
    let mut offences = Vec::new();
    for (path, manifest) in members() {
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(table) = manifest.get(section).and_then(toml::Value::as_table) else { continue };
            let own = table.iter().filter(|(_, value)| value.is_str() || value.get("version").is_some());
            offences.extend(own.map(|(name, _)| {
                format!("{path}: {name} has a version of its own; write {name}.workspace = true")
            }));
        }
    }
    assert_none("versions stand in the root Cargo.toml only", &offences);
}

/// The manifests of the members. Fuzz crates are workspaces of their own.
fn members() -> impl Iterator<Item = (String, toml::Table)> {
    sources()
        .into_iter()
        .filter(|file| file.path.ends_with("/Cargo.toml"))
        .map(|file| (file.path, file.text.parse::<toml::Table>().unwrap()))
        .filter(|(_, manifest)| !manifest.contains_key("workspace"))
        .map(|(path, mut manifest)| {
            manifest
                .entry("lints")
                .or_insert_with(|| toml::Table::from_iter([("workspace".into(), false.into())]).into());
            (path, manifest)
        })
}
