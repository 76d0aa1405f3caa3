//! The book and the README: links lead somewhere, and every page can be reached.

use std::path::{Component, Path, PathBuf};

use crate::assert_none;
use crate::tree::{Source, root, sources};

#[test]
fn relative_links_resolve() {
    let mut offences = Vec::new();
    for file in documents() {
        let folder = root().join(&file.path).parent().unwrap().to_owned();
        for link in links(&file.text).filter(|link| is_relative(link)) {
            let target = link.split('#').next().unwrap();
            if !target.is_empty() && !folder.join(target).exists() {
                offences.push(format!("{}: {link} leads nowhere", file.path));
            }
        }
    }
    assert_none("relative links of the documents resolve", &offences);
}

#[test]
fn included_files_exist() {
    let mut offences = Vec::new();
    for file in documents() {
        let folder = root().join(&file.path).parent().unwrap().to_owned();
        let included = file.text.split("{{#include ").skip(1).filter_map(|rest| rest.split("}}").next());
        let missing = included.filter(|name| !folder.join(name).exists());
        offences.extend(missing.map(|name| format!("{}: {name} is not there to include", file.path)));
    }
    assert_none("what the documents include exists", &offences);
}

#[test]
fn anchors_exist() {
    let mut offences = Vec::new();
    for file in documents() {
        let folder = root().join(&file.path).parent().unwrap().to_owned();
        for link in links(&file.text).filter(|link| is_relative(link)) {
            let Some((target, anchor)) = link.split_once('#') else { continue };
            let path = if target.is_empty() { root().join(&file.path) } else { folder.join(target) };
            let Ok(text) = std::fs::read_to_string(path) else { continue };
            if !headings(&text).any(|heading| heading == anchor) {
                offences.push(format!("{}: {link}: no such heading", file.path));
            }
        }
    }
    assert_none("anchors of the documents exist", &offences);
}

#[test]
fn the_summary_lists_every_page() {
    let summary = documents().into_iter().find(|file| file.path == "docs/src/SUMMARY.md");
    let summary = summary.expect("docs/src/SUMMARY.md is missing: the book needs it");
    let listed: Vec<PathBuf> = links(&summary.text).map(|link| normal(Path::new(link))).collect();
    let offences: Vec<String> = documents()
        .iter()
        .filter_map(|file| file.path.strip_prefix("docs/src/").map(PathBuf::from))
        .filter(|page| page != Path::new("SUMMARY.md") && !listed.contains(page))
        .map(|page| format!("{}: add it to docs/src/SUMMARY.md", page.display()))
        .collect();
    assert_none("the summary lists every page of the book", &offences);
}

fn documents() -> Vec<Source> {
    sources()
        .into_iter()
        .filter(|file| file.path.ends_with(".md"))
        .filter(|file| file.path.starts_with("docs/") || file.path == "README.md")
        .collect()
}

/// The targets of `[text](target)`, outside of code blocks.
fn links(text: &str) -> impl Iterator<Item = &str> {
    prose(text).flat_map(|line| line.split("](").skip(1).filter_map(|rest| rest.split(')').next()))
}

/// The anchors mdBook gives to headings.
fn headings(text: &str) -> impl Iterator<Item = String> {
    prose(text).filter(|line| line.starts_with('#')).map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}

fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !in_code && !fence
    })
}

fn is_relative(link: &str) -> bool {
    !link.contains("://") && !link.starts_with("mailto:")
}

fn normal(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}
