//! The variables of the process, read once, so that everything above takes them as a value.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// Environment variables: those of this process, or those of a test.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// The variables of this process.
    pub fn of_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// A variable's value; one that is set to nothing counts as absent.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.raw(name).filter(|value| !value.is_empty())
    }

    /// A variable's value, also when it is set to nothing.
    pub(crate) fn raw(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// The names of the variables that begin with this.
    pub(crate) fn names<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.keys().filter_map(|name| name.to_str()).filter(move |name| name.starts_with(prefix))
    }

    /// A variable that names a directory: absolute, and the first of several.
    pub(crate) fn directory(&self, name: &str) -> Option<PathBuf> {
        self.nth_directory(name, 0)
    }

    /// One of several directories that a variable names; systemd separates them by colons.
    pub(crate) fn nth_directory(&self, name: &str, n: usize) -> Option<PathBuf> {
        let directory = std::env::split_paths(self.get(name)?).nth(n)?;
        directory.is_absolute().then_some(directory)
    }
}

impl<N: Into<OsString>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_set_to_nothing_counts_as_absent() {
        let environment = Environment::from_iter([("HOME", "")]);
        assert_eq!(environment.get("HOME"), None);
        assert_eq!(environment.raw("HOME"), Some(OsStr::new("")));
    }

    #[test]
    fn directories_are_absolute_and_the_first_of_several() {
        let environment =
            Environment::from_iter([("STATE_DIRECTORY", "/var/lib/qpq:/x"), ("HOME", "relative")]);
        assert_eq!(environment.directory("STATE_DIRECTORY"), Some(PathBuf::from("/var/lib/qpq")));
        assert_eq!(environment.nth_directory("STATE_DIRECTORY", 1), Some(PathBuf::from("/x")));
        assert_eq!(environment.nth_directory("STATE_DIRECTORY", 2), None);
        assert_eq!(environment.directory("HOME"), None);
        assert_eq!(environment.directory("ABSENT"), None);
    }

    #[test]
    fn the_process_has_a_path() {
        assert!(Environment::of_process().get("PATH").is_some());
    }
}
