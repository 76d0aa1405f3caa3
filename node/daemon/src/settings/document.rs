//! The commented settings file that the declaration implies.

use std::fmt::Write as _;

use super::value::Raw;
use super::{Key, Settings};

impl Settings {
    /// A settings file with every setting documented, commented out at its default.
    pub fn default_document() -> String {
        let defaults = Self::default();
        let mut text = String::from(PREAMBLE);
        for key in Self::KEYS {
            text.push('\n');
            describe(&mut text, key, defaults.show(key.name));
        }
        text
    }
}

fn describe(text: &mut String, key: &Key, default: Option<Raw>) {
    for line in key.documentation {
        push_line(text, &format!("#{line}"));
    }
    push_line(text, &format!("# Environment: {}", key.variable()));
    let value = default.unwrap_or_else(|| Raw::One(key.example.to_owned()));
    push_line(text, &format!("#{} = {}", key.name, toml_of(&value)));
}

fn push_line(text: &mut String, line: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}

fn toml_of(raw: &Raw) -> String {
    match raw {
        Raw::One(item) | Raw::Text(item) => toml::Value::from(item.as_str()).to_string(),
        Raw::Many(items) => toml::Value::from(items.clone()).to_string(),
    }
}

const PREAMBLE: &str = "\
# Settings of qpqd. Every line that is commented out shows the default, or an example where there is none.
# A variable of the environment overrides this file, a flag overrides both.
";
