//! Long files and functions: what is too long already is listed with its size, which may only shrink.
//!
//! With `QPQ_RATCHET=shrink` in the environment the test lowers and removes rows by itself. It never adds or raises
//! one: that is for the author to do, and for a reviewer to see.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::{env, fs};

use syn::visit::{self, Visit};

use crate::assert_none;
use crate::tree::{Source, root, rust_sources};

/// What is too long, and how long it is.
const ALLOWANCES: &str = "tests/ratchet.toml";
/// No file is longer, listed or not.
const FILE_LINES_MAX: usize = 1000;
/// A longer file needs a row under `[files]`.
const FILE_LINES_WITHOUT_ROW: usize = 300;
/// A longer function needs a row under `[functions]`.
const FUNCTION_LINES_WITHOUT_ROW: usize = 70;

#[test]
fn no_file_is_over_the_limit() {
    let offences: Vec<String> = file_sizes()
        .into_iter()
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .map(|(path, lines)| format!("{path}: {lines} lines: split it by concern"))
        .collect();
    assert_none(&format!("no file has more than {FILE_LINES_MAX} lines"), &offences);
}

#[test]
fn long_files_only_shrink() {
    check("files", FILE_LINES_WITHOUT_ROW, &file_sizes());
}

#[test]
fn long_functions_only_shrink() {
    check("functions", FUNCTION_LINES_WITHOUT_ROW, &function_sizes());
}

/// Compares what there is with the rows of `tests/ratchet.toml`.
fn check(section: &str, free: usize, sizes: &BTreeMap<String, usize>) {
    let allowed = allowances(section);
    let mut offences = Vec::new();
    let mut shrunk = Vec::new();
    for (name, &lines) in sizes.iter().filter(|(_, lines)| **lines > free) {
        match allowed.get(name) {
            None => offences.push(format!("new, split it by concern, or add: \"{name}\" = {lines}")),
            Some(&most) if lines > most => {
                offences
                    .push(format!("\"{name}\" has grown from {most} to {lines} lines: split it by concern"));
            }
            Some(&most) if lines < most => shrunk.push((name, most, Some(lines))),
            Some(_) => {}
        }
    }
    let gone = allowed.iter().filter(|(name, _)| sizes.get(*name).is_none_or(|lines| *lines <= free));
    shrunk.extend(gone.map(|(name, &most)| (name, most, None)));
    if env::var_os("QPQ_RATCHET").is_some_and(|mode| mode == "shrink") {
        shrunk.iter().for_each(|(name, most, lines)| rewrite(name, *most, *lines));
    } else {
        offences.extend(shrunk.iter().map(|(name, ..)| {
            format!("\"{name}\" is shorter than its row: run QPQ_RATCHET=shrink cargo test -p qpq-tests --test tidy")
        }));
    }
    assert_none(&format!("[{section}] of {ALLOWANCES}: over {free} lines, and only shrinking"), &offences);
}

/// Lowers a row, or removes it.
fn rewrite(name: &str, most: usize, lines: Option<usize>) {
    // The two sections are checked by tests that run at the same time.
    static FILE: Mutex<()> = Mutex::new(());
    let _guard = FILE.lock();
    let path = root().join(ALLOWANCES);
    let row = format!("\"{name}\" = {most}\n");
    let new_row = lines.map(|lines| format!("\"{name}\" = {lines}\n")).unwrap_or_default();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(&row), "{ALLOWANCES}: write the row as {row}");
    fs::write(&path, text.replace(&row, &new_row)).unwrap();
}

fn allowances(section: &str) -> BTreeMap<String, usize> {
    let text = fs::read_to_string(root().join(ALLOWANCES)).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let rows = table[section].as_table().unwrap();
    rows.iter().map(|(name, lines)| (name.clone(), lines.as_integer().unwrap().try_into().unwrap())).collect()
}

fn file_sizes() -> BTreeMap<String, usize> {
    rust_sources().into_iter().map(|file| (file.path, file.text.lines().count())).collect()
}

/// The longest function of each name, keyed `path::name` or `path::Type::name`.
fn function_sizes() -> BTreeMap<String, usize> {
    let mut sizes = BTreeMap::new();
    for file in rust_sources() {
        measure(&file, &mut sizes);
    }
    sizes
}

fn measure(file: &Source, sizes: &mut BTreeMap<String, usize>) {
    let parsed = syn::parse_file(&file.text).unwrap_or_else(|error| panic!("{}: {error}", file.path));
    let mut ruler = Ruler { path: &file.path, owner: None, sizes };
    ruler.visit_file(&parsed);
}

/// Walks a file and writes down how long each function is.
struct Ruler<'a> {
    path: &'a str,
    owner: Option<String>,
    sizes: &'a mut BTreeMap<String, usize>,
}

impl Ruler<'_> {
    fn note(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let first = signature.fn_token.span.start().line;
        let last = body.brace_token.span.close().end().line;
        let lines = last - first + 1;
        let name = match &self.owner {
            Some(owner) => format!("{}::{owner}::{}", self.path, signature.ident),
            None => format!("{}::{}", self.path, signature.ident),
        };
        let longest = self.sizes.entry(name).or_default();
        *longest = lines.max(*longest);
    }

    fn within(&mut self, owner: String, walk: impl FnOnce(&mut Self)) {
        let outer = self.owner.replace(owner);
        walk(self);
        self.owner = outer;
    }
}

impl<'ast> Visit<'ast> for Ruler<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.note(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.note(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.note(&item.sig, body);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        self.within(type_name(&item.self_ty), |ruler| visit::visit_item_impl(ruler, item));
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.within(item.ident.to_string(), |ruler| visit::visit_item_trait(ruler, item));
    }
}

fn type_name(kind: &syn::Type) -> String {
    match kind {
        syn::Type::Path(path) => path.path.segments.last().map(|part| part.ident.to_string()),
        _ => None,
    }
    .unwrap_or_else(|| "impl".to_owned())
}

#[test]
fn the_ruler_measures_from_the_signature_to_the_brace() {
    let text =
        "struct A;\nimpl A {\n    /// Doc.\n    fn one(\n        &self,\n    ) {\n    }\n}\nfn two() {}\n";
    let file = Source { path: "a.rs".to_owned(), text: text.to_owned() };
    let mut sizes = BTreeMap::new();
    measure(&file, &mut sizes);
    assert_eq!(sizes["a.rs::A::one"], 4);
    assert_eq!(sizes["a.rs::two"], 1);
}
