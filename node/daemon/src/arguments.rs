//! The command line: a flag for each setting, and the few things that are no settings.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Command, value_parser};

use crate::settings::{Flags, Settings, SettingsError};

/// What the command line asks for.
#[derive(Debug)]
pub(crate) struct Arguments {
    /// What to do.
    pub(crate) action: Action,
    /// Settings given as flags.
    pub(crate) flags: Flags,
}

/// What a call of the program is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Run the node.
    Run,
    /// Read the settings and say whether they can be used.
    CheckConfig,
    /// Print a settings file.
    PrintDefaultConfig,
}

/// The command line cannot be used, or asks for help.
#[derive(Debug)]
pub(crate) enum ArgumentsError {
    /// What clap has to say, help and version included.
    Usage(clap::Error),
    /// A flag's value cannot be used.
    Settings(SettingsError),
}

impl Arguments {
    /// Reads the command line. A first argument that is no flag is taken for the program's name.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, ArgumentsError> {
        let mut arguments = arguments.into_iter().peekable();
        arguments.next_if(|first| !first.as_encoded_bytes().starts_with(b"-"));
        let mut matches = command().try_get_matches_from(arguments).map_err(ArgumentsError::Usage)?;
        let action = if matches.get_flag(PRINT_DEFAULT_CONFIG) {
            Action::PrintDefaultConfig
        } else if matches.get_flag(CHECK_CONFIG) {
            Action::CheckConfig
        } else {
            Action::Run
        };
        let mut flags = Flags::with_config(matches.remove_one::<PathBuf>(CONFIG));
        for key in Settings::KEYS {
            for value in matches.remove_many::<OsString>(key.name).into_iter().flatten() {
                flags.set(key.name, &value).map_err(ArgumentsError::Settings)?;
            }
        }
        Ok(Self { action, flags })
    }
}

/// The command as clap knows it; packaging derives the manual page from it.
pub fn command() -> Command {
    let fixed = [
        Arg::new(CONFIG)
            .long(CONFIG)
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help("Settings file (default: qpq/qpqd.toml in the config directory)"),
        Arg::new(CHECK_CONFIG)
            .long(CHECK_CONFIG)
            .action(ArgAction::SetTrue)
            .help("Read the settings, say whether they can be used, and exit"),
        Arg::new(PRINT_DEFAULT_CONFIG)
            .long(PRINT_DEFAULT_CONFIG)
            .action(ArgAction::SetTrue)
            .help("Print a settings file that documents every setting, and exit"),
    ];
    let settings = Settings::KEYS.iter().map(|key| {
        let lines: Vec<_> = key.documentation.iter().map(|line| line.trim()).collect();
        Arg::new(key.name)
            .long(key.flag())
            .value_name("VALUE")
            .value_parser(value_parser!(OsString))
            .action(ArgAction::Append)
            .help(format!("{} [env: {}]", lines.join(" "), key.variable()))
    });
    Command::new("qpqd")
        .version(env!("CARGO_PKG_VERSION"))
        .about("The node of quicproquo: a peer-to-peer, end-to-end encrypted messenger")
        .no_binary_name(true)
        .args(fixed)
        .args(settings)
}

const CONFIG: &str = "config";
const CHECK_CONFIG: &str = "check-config";
const PRINT_DEFAULT_CONFIG: &str = "print-default-config";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;

    fn parse(arguments: &[&str]) -> Result<Arguments, ArgumentsError> {
        Arguments::parse(arguments.iter().map(OsString::from))
    }

    fn settings(arguments: &[&str]) -> Settings {
        Settings::load(&parse(arguments).unwrap().flags, &Environment::default()).unwrap().settings
    }

    #[test]
    fn the_command_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn the_name_of_the_program_may_be_left_out() {
        for arguments in
            [&["--data-dir", "/d"][..], &["qpqd", "--data-dir", "/d"], &["/usr/bin/qpqd", "--data-dir=/d"]]
        {
            assert_eq!(settings(arguments).data_dir, Some("/d".into()), "{arguments:?}");
        }
    }

    #[test]
    fn every_setting_has_a_flag() {
        let known: Vec<_> =
            command().get_arguments().filter_map(|arg| arg.get_long().map(str::to_owned)).collect();
        for key in Settings::KEYS {
            assert!(known.contains(&key.name.replace('_', "-")), "{}", key.name);
        }
    }

    #[test]
    fn a_flag_of_a_list_can_be_repeated() {
        let settings = settings(&["--listen", "127.0.0.1:1", "--listen", "127.0.0.1:2,[::1]:3"]);
        assert_eq!(settings.listen.len(), 3);
    }

    #[test]
    fn actions_are_told_apart() {
        assert_eq!(parse(&[]).unwrap().action, Action::Run);
        assert_eq!(parse(&["--check-config"]).unwrap().action, Action::CheckConfig);
        assert_eq!(parse(&["--print-default-config"]).unwrap().action, Action::PrintDefaultConfig);
    }

    #[test]
    fn what_is_unknown_is_refused() {
        for arguments in [&["--lissten", "x"][..], &["qpqd", "run"], &["--config"]] {
            let Err(ArgumentsError::Usage(error)) = parse(arguments) else {
                panic!("{arguments:?} was taken")
            };
            assert_eq!(error.exit_code(), 2, "{arguments:?}");
        }
    }
}
