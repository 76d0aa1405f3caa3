//! Reading the settings from their sources, and saying exactly which one is wrong.

use std::ffi::OsStr;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::value::{Raw, Unfit};
use super::{Key, Settings};
use crate::environment::Environment;
use crate::paths;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A line of the settings file.
    File {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// An environment variable.
    Variable(String),
    /// A flag, without its dashes.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The file that was named does not exist.
    #[error("{path}: no such settings file")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("{path}: cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is larger than any settings are.
    #[error("{path}: larger than {SETTINGS_BYTES_MAX} bytes, not a settings file")]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// The file is not TOML.
    #[error("{path}: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What the parser says, with the line.
        message: String,
    },
    /// There is no such setting.
    #[error("{origin}: unknown setting `{name}`{}", did_you_mean(.suggestion.as_deref()))]
    UnknownKey {
        /// Where it stands.
        origin: Origin,
        /// The name found.
        name: String,
        /// The setting that was probably meant.
        suggestion: Option<String>,
    },
    /// A value cannot be read.
    #[error("{origin}: `{name}` must be {expected}, not `{found}`")]
    Value {
        /// Where it stands.
        origin: Origin,
        /// The setting.
        name: &'static str,
        /// What would do.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// A variable or flag is not UTF-8.
    #[error("{origin}: not UTF-8")]
    NotUnicode {
        /// Which one.
        origin: Origin,
    },
}

fn did_you_mean(name: Option<&str>) -> String {
    name.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// Settings given on the command line.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// The settings file, if one is named.
    pub config: Option<PathBuf>,
    values: Vec<(&'static str, String)>,
}

impl Flags {
    /// No settings yet, but perhaps a file of them.
    pub(crate) fn with_config(config: Option<PathBuf>) -> Self {
        Self { config, values: Vec::new() }
    }

    /// Sets one; several values of a list are separated by commas.
    pub(crate) fn set(&mut self, name: &'static str, value: &OsStr) -> Result<(), SettingsError> {
        let origin = || Origin::Flag(name.replace('_', "-"));
        let value = value.to_str().ok_or_else(|| SettingsError::NotUnicode { origin: origin() })?;
        self.values.push((name, value.to_owned()));
        Ok(())
    }

    /// Sets one that is a path, if there is one.
    pub(crate) fn path(&mut self, name: &'static str, path: Option<PathBuf>) -> Result<(), SettingsError> {
        path.map_or(Ok(()), |path| self.set(name, path.as_os_str()))
    }
}

/// Settings together with the file they were read from.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Loaded {
    /// What holds after every source was read.
    pub settings: Settings,
    /// The settings file, if there is one.
    pub file: Option<PathBuf>,
}

impl Settings {
    /// Reads every source: file, environment, flags; a later one overrides an earlier one.
    pub fn load(flags: &Flags, environment: &Environment) -> Result<Loaded, SettingsError> {
        let mut settings = Self::default();
        let named = flags.config.clone().or_else(|| environment.get("QPQ_CONFIG").map(PathBuf::from));
        let file = match named {
            Some(path) => match read_file(&path)? {
                Some(text) => Some((path, text)),
                None => return Err(SettingsError::Missing { path }),
            },
            None => match paths::default_config_file(environment) {
                Some(path) => read_file(&path)?.map(|text| (path, text)),
                None => None,
            },
        };
        if let Some((path, text)) = &file {
            settings.merge_document(path, text)?;
        }
        for key in Self::KEYS {
            let variable = key.variable();
            if let Some(value) = environment.raw(&variable) {
                settings.merge_text(key, value, Origin::Variable(variable))?;
            }
        }
        for key in Self::KEYS {
            let given: Vec<&str> = flags
                .values
                .iter()
                .filter(|(name, _)| *name == key.name)
                .map(|(_, value)| value.as_str())
                .collect();
            if !given.is_empty() {
                settings.merge_text(key, OsStr::new(&given.join(",")), Origin::Flag(key.flag()))?;
            }
        }
        Ok(Loaded { settings, file: file.map(|(path, _)| path) })
    }

    /// What is to be said about variables that look like settings and are none. They are no error: other programs of
    /// this project have variables too, and those of the next version may be set already.
    pub(crate) fn unknown_variables(environment: &Environment) -> Vec<String> {
        let is_known = |name: &str| {
            OTHER_VARIABLES.contains(&name)
                || name.starts_with(TEST_VARIABLES)
                || Self::KEYS.iter().any(|key| key.variable() == name)
        };
        let unknown = environment.names(VARIABLES).filter(|name| !is_known(name));
        unknown
            .map(|name| format!("{name}: no such setting{}", did_you_mean(similar(name).as_deref())))
            .collect()
    }

    fn merge_text(&mut self, key: &'static Key, value: &OsStr, origin: Origin) -> Result<(), SettingsError> {
        let Some(text) = value.to_str() else {
            return Err(SettingsError::NotUnicode { origin });
        };
        self.merge(key.name, &Raw::Text(text.to_owned()), origin)
    }

    fn merge_document(&mut self, path: &Path, text: &str) -> Result<(), SettingsError> {
        let syntax = |error: toml::de::Error| SettingsError::Syntax {
            path: path.to_owned(),
            message: error.to_string(),
        };
        let document = DeTable::parse(text).map_err(syntax)?;
        for (name, value) in document.get_ref() {
            let line = 1 + text[..name.span().start].matches('\n').count();
            let origin = Origin::File { path: path.to_owned(), line };
            self.merge(name.get_ref(), &raw_of(value.get_ref()), origin)?;
        }
        Ok(())
    }

    fn merge(&mut self, name: &str, raw: &Raw, origin: Origin) -> Result<(), SettingsError> {
        let declared = Self::KEYS.iter().find(|key| key.name == name);
        match (declared, self.assign(name, raw)) {
            (_, Ok(())) => Ok(()),
            (Some(key), Err(Unfit::Value { found, expected })) => {
                Err(SettingsError::Value { origin, name: key.name, expected, found })
            }
            _ => Err(SettingsError::UnknownKey { origin, name: name.to_owned(), suggestion: closest(name) }),
        }
    }
}

/// The text of a file; nothing where there is none.
fn read_file(path: &Path) -> Result<Option<String>, SettingsError> {
    let unreadable = |source| SettingsError::Unreadable { path: path.to_owned(), source };
    match std::fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
        Ok(metadata) if metadata.len() > SETTINGS_BYTES_MAX => {
            return Err(SettingsError::TooLong { path: path.to_owned() });
        }
        Ok(_) => {}
    }
    std::fs::read_to_string(path).map(Some).map_err(unreadable)
}

fn raw_of(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::One(text.to_string()),
        DeValue::Array(entries) => Raw::Many(entries.iter().map(|entry| scalar(entry.get_ref())).collect()),
        other => Raw::One(scalar(other)),
    }
}

/// What a value other than a string is called in the error message that refuses it.
fn scalar(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(integer) => integer.as_str().to_owned(),
        DeValue::Boolean(truth) => truth.to_string(),
        other => format!("a TOML {}", other.type_str()),
    }
}

/// The variable that was probably meant.
fn similar(variable: &str) -> Option<String> {
    let name = variable.strip_prefix(VARIABLES)?.to_ascii_lowercase();
    closest(&name).map(|name| format!("{VARIABLES}{}", name.to_ascii_uppercase()))
}

fn closest(name: &str) -> Option<String> {
    let candidates = Settings::KEYS.iter().map(|key| (strsim::jaro_winkler(key.name, name), key.name));
    let (likeness, best) = candidates.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (likeness >= SUGGESTION_LIKENESS_MIN).then(|| best.to_owned())
}

const VARIABLES: &str = "QPQ_";
/// Variables that are no settings: the file of them, and what `qpq` and the tests read.
const OTHER_VARIABLES: &[&str] =
    &["QPQ_CONFIG", "QPQ_PASSPHRASE", "QPQ_PASSWORD", "QPQ_VECTORS", "QPQ_RATCHET"];
const TEST_VARIABLES: &str = "QPQ_TEST_";
const SETTINGS_BYTES_MAX: u64 = 65_536;
const SUGGESTION_LIKENESS_MIN: f64 = 0.8;
