//! The macro that turns the declaration of the settings into a struct and its table.

/// One declared setting.
#[derive(Debug)]
pub(crate) struct Key {
    /// Name in the file.
    pub(crate) name: &'static str,
    /// Documentation, one entry a line.
    pub(crate) documentation: &'static [&'static str],
    /// A value that could stand there, for a setting without a default.
    pub(crate) example: &'static str,
    /// When a change takes effect.
    pub(crate) effect: Effect,
}

/// When a changed setting takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// On SIGHUP.
    Live,
    /// At the next start.
    Restart,
}

impl Key {
    /// Name of the environment variable.
    pub(crate) fn variable(&self) -> String {
        format!("QPQ_{}", self.name.to_ascii_uppercase())
    }

    /// Name of the flag, without its dashes.
    pub(crate) fn flag(&self) -> String {
        self.name.replace('_', "-")
    }
}

macro_rules! settings {
    ($($(#[doc = $documentation:literal])+
       $name:ident: $kind:ty = $default:expr, $effect:ident, example $example:literal;)+) => {
        /// Everything about a node that can be set.
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub struct Settings {
            $($(#[doc = $documentation])+ pub $name: $kind,)+
        }

        impl Default for Settings {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        impl Settings {
            /// Every setting, in the order of their declaration.
            pub(crate) const KEYS: &'static [declare::Key] = &[$(declare::Key {
                name: stringify!($name),
                documentation: &[$($documentation),+],
                example: $example,
                effect: declare::Effect::$effect,
            },)+];

            /// Gives the setting of this name a value; says what was expected where that is not possible.
            pub(crate) fn assign(&mut self, name: &str, raw: &value::Raw) -> Result<(), value::Unfit> {
                match name {
                    $(stringify!($name) => self.$name = value::Value::read(raw)?,)+
                    _ => return Err(value::Unfit::UnknownKey),
                }
                Ok(())
            }

            /// The value of the setting of this name, if it has one.
            pub(crate) fn show(&self, name: &str) -> Option<value::Raw> {
                match name {
                    $(stringify!($name) => value::Value::write(&self.$name),)+
                    _ => None,
                }
            }

            /// The settings whose values differ from another's.
            pub(crate) fn changed(&self, other: &Self) -> Vec<&'static declare::Key> {
                Self::KEYS.iter().filter(|key| self.show(key.name) != other.show(key.name)).collect()
            }
        }
    };
}

pub(crate) use settings;
