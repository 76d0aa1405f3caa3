//! A network of one's own: hosts that are network namespaces, joined by Ethernet segments that the test controls.
//!
//! ```no_run
//! use qpq_tests::{Person, befriend, lab::{Air, Lab}};
//!
//! let Some(lab) = Lab::enter("a_test") else { return };
//! let hosts = ["alice", "bob"].map(|name| lab.host(name));
//! let lan = lab.segment(Air::CLEAR);
//! for (host, address) in hosts.iter().zip(["10.0.0.1/24", "10.0.0.2/24"]) {
//!     lan.plug(host, "eth0", address);
//! }
//! let [alice, bob] = hosts.each_ref().map(|host| Person::with(host.name(), host.discovering()));
//! befriend(&alice, &bob);
//! lan.cut(&hosts[0]);
//! ```
//!
//! [`Lab::enter`] runs the calling test once more, in a process that is the first one of process, network and mount
//! namespaces of its own. Whatever way it ends, the kernel ends every process in them and removes every interface,
//! route and packet filter: there is nothing to tidy up. Without root it tries a user namespace. Where neither is
//! permitted, the test is skipped, with the reason.
//!
//! The network between the hosts is in user space ([`Segment`]), so that it needs nothing from the kernel but `veth`,
//! and every frame is seen by the test. Hosts have IPv4 alone, unless they are told otherwise ([`Host::with_ipv6`]).

mod frame;
mod host;
mod sandbox;
mod segment;

use std::cell::Cell;

pub use frame::{Datagram, Frame};
pub use host::Host;
pub use segment::{Air, Segment};

use host::system;

/// The sandbox in which a test's network lies.
#[derive(Debug)]
pub struct Lab {
    segments: Cell<u64>,
}

impl Lab {
    /// Runs the test of this name in a sandbox of its own. Gives the lab there; outside nothing, once the test has
    /// passed there or cannot run on this machine.
    ///
    /// # Panics
    /// Outside, if the test fails inside.
    #[track_caller]
    pub fn enter(test: &str) -> Option<Self> {
        if !sandbox::is_inside() {
            sandbox::run_inside(test);
            return None;
        }
        // `ip netns` keeps its names there, and those of this lab must not be seen outside.
        system(&["mount", "-t", "tmpfs", "tmpfs", "/run"]);
        system(&["ip", "netns", "add", segment::NAMESPACE]);
        Host::existing(segment::NAMESPACE).without_ipv6();
        Some(Self { segments: Cell::new(0) })
    }

    /// Makes a host without any interface but its loopback.
    #[track_caller]
    pub fn host(&self, name: &str) -> Host {
        system(&["ip", "netns", "add", name]);
        let host = Host::existing(name);
        host.ip("link set lo up");
        host.without_ipv6();
        host
    }

    /// Makes an Ethernet segment to which hosts can be connected.
    #[track_caller]
    pub fn segment(&self, air: Air) -> Segment {
        let number = self.segments.get();
        self.segments.set(number + 1);
        Segment::new(number, air)
    }
}

/// Whether the kernel has IPv6; where it has not, says that the test is skipped.
pub fn has_ipv6(test: &str) -> bool {
    let found = std::path::Path::new("/proc/sys/net/ipv6").exists();
    if !found {
        crate::skip(test, "the kernel has no IPv6");
    }
    found
}

/// Whether a program can be run; where it cannot, says that the test is skipped.
pub fn has_program(test: &str, program: &str) -> bool {
    let found = std::process::Command::new(program).arg("--version").output();
    if let Err(error) = &found {
        crate::skip(test, &format!("{program} cannot be run: {error}"));
    }
    found.is_ok()
}
