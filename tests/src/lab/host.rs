//! A network namespace that plays a machine.

use std::path::PathBuf;
use std::process::Command;

use crate::Options;
use crate::command::{Output, run};

/// The port on which every daemon of a lab listens: each host has its ports to itself.
const PORT: u16 = 4433;

/// A machine: interfaces, routes and packet filters of its own.
#[derive(Debug)]
pub struct Host {
    name: String,
}

impl Host {
    pub(super) fn existing(name: &str) -> Self {
        Self { name: name.to_owned() }
    }

    /// The name for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `ip` with these words, such as `route del default`.
    #[track_caller]
    pub fn ip(&self, words: &str) -> String {
        let words: Vec<&str> = ["ip", "-n", &self.name].into_iter().chain(words.split_whitespace()).collect();
        system(&words).stdout
    }

    /// Adds rules to the packet filter, in the language of `nft`.
    #[track_caller]
    pub fn nft(&self, rules: &str) {
        let mut command = self.command("nft");
        run(command.args(["-f", "-"]), rules.as_bytes()).expect_status(0);
    }

    /// Passes on what is not for itself.
    #[track_caller]
    pub fn forwards(&self) {
        self.set("net/ipv4/ip_forward", "1");
    }

    /// A daemon on this host that knows where others are only from links and contacts.
    pub fn quiet(&self) -> Options {
        let settings = [("QPQ_LISTEN", format!("0.0.0.0:{PORT}")), ("QPQ_DISCOVERY", "off".to_owned())];
        Options {
            environment: settings.map(|(name, value)| (name.to_owned(), value)).into(),
            wrapper: self.wrapper(),
            ..Options::default()
        }
    }

    /// A daemon on this host that announces itself and listens for others.
    pub fn discovering(&self) -> Options {
        let mut options = self.quiet();
        options.environment.retain(|(name, _)| name != "QPQ_DISCOVERY");
        Options { discovery: true, ..options }
    }

    /// A daemon as [`Host::discovering`], which knows no IPv4.
    pub fn discovering_over_ipv6(&self) -> Options {
        let mut options = self.discovering();
        options.environment.retain(|(name, _)| name != "QPQ_LISTEN");
        options.environment.push(("QPQ_LISTEN".to_owned(), format!("[::]:{PORT}")));
        options
    }

    /// Has IPv6 on every interface that is plugged in from now on, with link-local addresses.
    #[track_caller]
    pub fn with_ipv6(&self) {
        for interfaces in ["all", "default"] {
            self.set(&format!("net/ipv6/conf/{interfaces}/disable_ipv6"), "0");
            // No address is anybody else's here, and nobody is a router.
            self.set(&format!("net/ipv6/conf/{interfaces}/accept_dad"), "0");
            self.set(&format!("net/ipv6/conf/{interfaces}/router_solicitations"), "0");
        }
    }

    /// The path by which the kernel knows the namespace.
    pub(super) fn path(&self) -> PathBuf {
        PathBuf::from("/run/netns").join(&self.name)
    }

    /// Does without IPv6, whose link-local addresses and multicasts would be a second way round everything.
    #[track_caller]
    pub(super) fn without_ipv6(&self) {
        self.set("net/ipv6/conf/all/disable_ipv6", "1");
        self.set("net/ipv6/conf/default/disable_ipv6", "1");
    }

    #[track_caller]
    fn set(&self, parameter: &str, value: &str) {
        // A kernel without IPv6 needs no telling.
        let script = format!("test ! -e /proc/sys/{parameter} || echo {value} > /proc/sys/{parameter}");
        run(self.command("sh").args(["-c", &script]), b"").expect_status(0);
    }

    fn command(&self, program: &str) -> Command {
        let words = self.wrapper();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg(program);
        command
    }

    fn wrapper(&self) -> Vec<String> {
        vec!["nsenter".to_owned(), format!("--net={}", self.path().display())]
    }
}

/// Runs a program of the system, which must succeed.
#[track_caller]
pub(super) fn system(words: &[&str]) -> Output {
    run(Command::new(words[0]).args(&words[1..]), b"").expect_status(0)
}
