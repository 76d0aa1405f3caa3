//! Which crate may know which: the arrows of the architecture, and the crates that only one of ours may name.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::assert_none;
use crate::tree::root;

/// Every crate of the workspace and what it may depend on. No other arrow.
const ARROWS: &[(&str, &[&str])] = &[
    ("qpq-proto", &[]),
    ("qpq-crypto", &["qpq-proto"]),
    ("qpq-mesh", &["qpq-proto"]),
    ("qpq-net", &["qpq-proto"]),
    ("qpq-engine", &["qpq-mesh", "qpq-crypto", "qpq-proto"]),
    ("qpq-relay", &["qpq-proto", "qpq-crypto"]),
    ("qpq-store", &["qpq-engine", "qpq-relay", "qpq-crypto"]),
    ("qpqd", &["qpq-net", "qpq-relay", "qpq-engine", "qpq-mesh", "qpq-store", "qpq-crypto", "qpq-proto"]),
    ("qpq", &["qpq-proto", "qpq-net", "qpqd"]),
    ("qpq-openwrt", &["qpq", "qpqd"]),
    ("qpq-sim", &["qpq-engine", "qpq-mesh", "qpq-relay", "qpq-store"]),
    // A light client of a relay's needs the person's half of its cryptography.
    ("qpq-tests", &["qpq-proto", "qpq-net", "qpq-crypto"]),
];

/// Crates from outside that only the named ones of ours may use. A name that ends in `*` is a prefix.
const RESTRICTED: &[(&str, &[&str], &str)] = &[
    ("iroh*", &["qpq-net"], "connections live in qpq-net"),
    ("quinn*", &["qpq-net"], "connections live in qpq-net"),
    ("noq*", &["qpq-net"], "connections live in qpq-net"),
    ("mdns-sd", &["qpq-net"], "discovery lives in qpq-net"),
    ("rustls*", &["qpq-net"], "TLS lives in qpq-net"),
    ("rcgen", &["qpq-net"], "TLS lives in qpq-net"),
    ("openmls*", &["qpq-crypto"], "use qpq_crypto::mls"),
    ("chacha20poly1305", &["qpq-crypto"], "ciphers live in qpq-crypto"),
    ("aes-gcm", &["qpq-crypto"], "ciphers live in qpq-crypto"),
    ("hpke*", &["qpq-crypto"], "use qpq_crypto::sealed"),
    ("x25519-dalek", &["qpq-crypto"], "keys live in qpq-crypto"),
    ("ed25519-dalek", &["qpq-crypto"], "keys live in qpq-crypto"),
    ("argon2", &["qpq-crypto"], "use qpq_crypto::at_rest"),
    ("ml-kem", &["qpq-crypto", "qpq-net"], "only the hybrid TLS group and qpq-crypto need it"),
    ("redb", &["qpq-store"], "use the storage traits"),
    (
        "tokio*",
        &["qpq-net", "qpqd", "qpq", "qpq-relay", "qpq-tests"],
        "state machines have no runtime: take inputs, return effects",
    ),
    ("rand", &[], "take `&mut dyn rand_core::CryptoRng`"),
    ("getrandom", &["qpq-store", "qpqd", "qpq-net"], "take `&mut dyn rand_core::CryptoRng`"),
    ("aws-lc-rs", &[], "ring is the TLS provider"),
    ("openssl*", &[], "ring is the TLS provider"),
    ("native-tls", &[], "ring is the TLS provider"),
];

/// One dependency as a manifest declares it.
struct Dependency {
    from: String,
    to: String,
    development: bool,
}

#[test]
fn crates_depend_only_along_the_arrows() {
    let offences: Vec<String> = dependencies()
        .iter()
        .filter(|dependency| is_ours(&dependency.to) && !may_depend(dependency))
        .map(|Dependency { from, to, .. }| {
            format!("{from} -> {to}: not an arrow of the architecture; pass a trait or move the code")
        })
        .collect();
    assert_none("crates depend only along the arrows of docs/src/architecture.md", &offences);
}

#[test]
fn restricted_crates_are_named_only_where_they_belong() {
    let offences: Vec<String> = dependencies().iter().filter_map(restriction_broken).collect();
    assert_none("a restricted crate is named only by its owner", &offences);
}

#[test]
fn every_member_has_a_row_in_the_table_of_arrows() {
    let offences: Vec<String> = members()
        .into_iter()
        .filter(|name| arrows_of(name).is_none())
        .map(|name| format!("{name}: add a row to ARROWS and a line to docs/src/architecture.md"))
        .collect();
    assert_none("every crate of the workspace is in the table of arrows", &offences);
}

#[test]
fn the_arrows_have_no_cycle() {
    for (name, _) in ARROWS {
        assert!(!reachable(name).contains(name), "{name} reaches itself");
    }
}

/// Tests may look at everything below them; the end-to-end crate at everything.
fn may_depend(dependency: &Dependency) -> bool {
    if dependency.from == "qpq-tests" && dependency.development {
        return true;
    }
    // A crate's tests may switch on a feature of the crate itself.
    if dependency.development {
        return dependency.to == dependency.from
            || reachable(&dependency.from).contains(dependency.to.as_str());
    }
    arrows_of(&dependency.from).is_some_and(|arrows| arrows.contains(&dependency.to.as_str()))
}

fn restriction_broken(dependency: &Dependency) -> Option<String> {
    let Dependency { from, to, development } = dependency;
    let (_, owners, replacement) = RESTRICTED.iter().find(|(pattern, ..)| matches(pattern, to))?;
    let allowed = owners.contains(&from.as_str()) || (*development && from == "qpq-tests");
    (!allowed).then(|| format!("{from} names {to}: {replacement}"))
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    }
}

fn arrows_of(name: &str) -> Option<&'static [&'static str]> {
    ARROWS.iter().find(|(from, _)| *from == name).map(|(_, to)| *to)
}

fn reachable(name: &str) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&'static str> = arrows_of(name).unwrap_or_default().to_vec();
    while let Some(next) = open.pop() {
        if found.insert(next) {
            open.extend(arrows_of(next).unwrap_or_default());
        }
    }
    found
}

fn is_ours(name: &str) -> bool {
    arrows_of(name).is_some()
}

fn members() -> Vec<String> {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    packages.iter().map(|package| package["name"].as_str().unwrap().to_owned()).collect()
}

fn dependencies() -> Vec<Dependency> {
    let metadata = metadata();
    let mut found = Vec::new();
    for package in metadata["packages"].as_array().unwrap() {
        for dependency in package["dependencies"].as_array().unwrap() {
            found.push(Dependency {
                from: package["name"].as_str().unwrap().to_owned(),
                to: dependency["name"].as_str().unwrap().to_owned(),
                development: dependency["kind"] == "dev",
            });
        }
    }
    found
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
