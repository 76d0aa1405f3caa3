//! What the service's script tells procd.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::options::{VALUES, section};
use crate::router::Router;
use crate::text;

const SETTINGS: &str = "/var/etc/qpq/qpqd.toml";
/// As OpenWrt runs such a script when a package is installed.
const DEFAULTS: &str = ". /lib/functions.sh; . /etc/uci-defaults/qpq";

impl Router {
    /// Sets the options of the node, which is enabled.
    fn configure(&self, options: &[(&str, &str)]) {
        let options = [&[("enabled", "1")], options].concat();
        let bytes: Vec<_> = options.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        self.write("/etc/config/qpq", section(&bytes));
    }

    /// Has procd reload the service, and gives what procd did then.
    #[track_caller]
    fn reload(&self) -> Vec<String> {
        let ran = self.service("reload");
        assert!(!ran.output.contains("not found"), "{}", ran.output);
        self.take("/tmp/events")
    }

    /// What it has said in the log since it was asked the last time.
    fn said(&self) -> String {
        self.take("/tmp/log").join("\n")
    }

    /// Has hotplug run a script in an environment.
    fn hotplug(&self, environment: &str, script: &str) -> Vec<String> {
        self.run(&format!("{environment}; . /etc/hotplug.d/{script}/90-qpq"));
        self.take("/tmp/events")
    }
}

#[test]
fn it_does_nothing_until_it_is_enabled() {
    let Some(router) = Router::install("it_does_nothing_until_it_is_enabled") else { return };
    assert!(router.service("boot").is_ok);
    assert_eq!(router.take("/tmp/events"), [""; 0]);
    assert_eq!(router.said(), "");
    // It hears of it when somebody enables it.
    assert_eq!(router.take("/tmp/triggers"), ["reload qpq", "validation validate_node"]);
}

#[test]
fn procd_is_told_to_shut_it_in() {
    let Some(router) = Router::install("procd_is_told_to_shut_it_in") else { return };
    router.configure(&[]);
    assert_eq!(router.reload(), ["started"]);
    let told = router.read("/tmp/instance");
    for line in [
        "command|/usr/bin/qpqd|--config|/var/etc/qpq/qpqd.toml",
        "user|qpq",
        "group|qpq",
        "capabilities|/etc/capabilities/qpq.json",
        "no_new_privs|1",
        "stderr|1",
        "respawn|3600|5|5",
        "jail|qpq|procfs|sysfs|ronly",
        "mount|/var/etc/qpq",
        "mount|/etc/hosts",
        "mount|/etc/resolv.conf",
        "mount_rw|/var/run/qpq|/etc/qpq/data|/etc/qpq/keys",
    ] {
        assert!(told.lines().any(|said| said == line), "{line} in\n{told}");
    }
    let mode = |path: &str| fs::metadata(router.path(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(SETTINGS), 0o600);
    assert_eq!([mode("/etc/qpq/data"), mode("/etc/qpq/keys")], [0o700; 2]);
    let given = router.take("/tmp/chown");
    for path in ["/etc/qpq/data", "/etc/qpq/keys", "/var/run/qpq", "/var/etc/qpq/new.toml"] {
        assert!(given.contains(&format!("qpq:qpq {path}")), "{path} in {given:?}");
    }
    // An account that could be made to own what lies below a directory of its own could own anything.
    assert!(!given.iter().any(|given| given.contains("-R")), "{given:?}");
}

#[test]
fn a_change_is_taken_up_as_the_daemon_can() {
    let Some(router) = Router::install("a_change_is_taken_up_as_the_daemon_can") else { return };
    for (name, [before, after]) in VALUES {
        router.remove("/tmp/instance");
        router.remove(SETTINGS);
        router.configure(&[(name, before)]);
        assert_eq!(router.reload(), ["started"], "{name}: {}", router.said());
        assert_eq!(router.reload(), [""; 0], "nothing has changed, {name} neither");
        router.configure(&[(name, after)]);
        let expected = if is_live(name) { "signal HUP" } else { "restarted" };
        assert_eq!(router.reload(), [expected], "{name}: {}", router.said());
    }
    router.write("/etc/config/qpq", section(&[("enabled", b"0")]));
    assert_eq!(router.reload(), ["stopped"]);
    assert_eq!(router.read(SETTINGS), "");
}

/// Whether a running daemon takes up a change of a setting, as its declaration says.
fn is_live(name: &str) -> bool {
    let source = text("node/daemon/src/settings.rs");
    let (_, declared) = source.split_once(&format!("    {name}: ")).unwrap();
    let (declared, _) = declared.split_once("example \"").unwrap();
    match declared.trim_end().trim_end_matches(',').rsplit(", ").next().unwrap() {
        "Live" => true,
        "Restart" => false,
        other => panic!("{name}: {other}"),
    }
}

#[test]
fn what_cannot_be_used_leaves_the_running_node_alone() {
    let Some(router) = Router::install("what_cannot_be_used_leaves_the_running_node_alone") else { return };
    router.configure(&[("listen", "nowhere")]);
    assert_eq!(router.reload(), [""; 0]);
    assert!(router.said().contains("`listen` must be"));
    // It is told of the next change all the same.
    assert!(router.take("/tmp/triggers").contains(&"reload qpq".to_owned()));

    router.configure(&[]);
    assert_eq!(router.reload(), ["started"]);
    let used = router.read(SETTINGS);
    for (name, value, complaint) in [
        ("listen", "nowhere", "`listen` must be"),
        ("custody", "cellar", "option 'custody' has a value that it cannot have"),
        ("log", "loud", "`log` must be"),
        ("data_dir", "/data", "option 'data_dir' is not the absolute path"),
        ("data_dir", "/etc/../etc/qpq", "option 'data_dir' is not the absolute path"),
        ("data_dir", "/tmp/qpq", "option 'key_file' must be in RAM"),
        ("key_file", "/etc/qpq/data/node.key", "lies inside the data directory"),
    ] {
        router.configure(&[(name, value)]);
        assert_eq!(router.reload(), [""; 0], "{name} {value}");
        let said = router.said();
        assert!(said.contains(complaint) && said.contains("keeps the settings"), "{name} {value}: {said}");
        assert_eq!(router.read(SETTINGS), used);
    }
    router.configure(&[("data_dir", "/tmp/qpq/data"), ("key_file", "/tmp/qpq/key/node.key")]);
    assert_eq!(router.reload(), ["restarted"]);
}

#[test]
fn it_takes_no_directory_that_is_somebody_elses() {
    let Some(router) = Router::install("it_takes_no_directory_that_is_somebody_elses") else { return };
    router.write("/srv/files/letter", "");
    router.write("/srv/empty/letter", "");
    router.remove("/srv/empty/letter");
    symlink("empty", router.path("/srv/link")).unwrap();
    router.write("/srv/old/node.redb", "");
    router.write("/srv/file", "");
    let refused = "option 'data_dir' leads";
    for (place, complaint) in
        [("/srv/files", refused), ("/srv/link", refused), ("/srv/file/qpq", refused), ("/srv/old", "")]
    {
        router.configure(&[("data_dir", place)]);
        assert_eq!(router.reload().is_empty(), !complaint.is_empty(), "{place}");
        assert!(router.said().contains(complaint), "{place}");
    }
    assert!(!router.take("/tmp/chown").iter().any(|given| given.contains("/srv/files")));
}

#[test]
fn it_listens_at_the_addresses_of_an_interface() {
    let Some(router) = Router::install("it_listens_at_the_addresses_of_an_interface") else { return };
    let listen = || {
        let settings = router.read(SETTINGS);
        settings.lines().find_map(|line| line.strip_prefix("listen = ")).unwrap_or_default().to_owned()
    };
    let up = |interface: &str| router.hotplug(&format!("ACTION=ifup INTERFACE={interface}"), "iface");
    router.configure(&[("interface", "mesh"), ("port", "5000")]);
    assert_eq!(router.reload(), [""; 0]);
    assert_eq!(router.said(), "notice the interface 'mesh' has no address yet");
    router.write("/tmp/network/mesh.6", "2001:db8::1 fd00::1\n");
    assert_eq!(up("lan"), [""; 0]);
    assert_eq!(up("mesh"), ["started"]);
    assert_eq!(listen(), r#"["[fd00::1]:5000"]"#);
    router.write("/tmp/network/mesh.4", "10.0.0.1\n");
    let changed = "ACTION=ifupdate INTERFACE=mesh IFUPDATE_ADDRESSES=";
    assert_eq!(router.hotplug(changed, "iface"), [""; 0]);
    assert_eq!(router.hotplug(&format!("{changed}1"), "iface"), ["restarted"]);
    assert_eq!(listen(), r#"["10.0.0.1:5000", "[fd00::1]:5000"]"#);
    // An address that the provider takes away any day is not worth a restart.
    router.write("/tmp/network/mesh.6", "2001:db8::1\n");
    assert_eq!(up("mesh"), ["restarted"]);
    assert_eq!(listen(), r#"["10.0.0.1:5000"]"#);
    router.remove("/tmp/network/mesh.4");
    assert_eq!(up("mesh"), ["restarted"]);
    assert_eq!(listen(), r#"["[2001:db8::1]:5000"]"#);
    router.write("/tmp/disabled", "");
    router.write("/tmp/network/mesh.4", "10.0.0.2\n");
    assert_eq!(up("mesh"), [""; 0]);
}

#[test]
fn it_waits_for_its_storage() {
    let Some(router) = Router::install("it_waits_for_its_storage") else { return };
    let mount = |point: &str| router.write("/proc/mounts", format!("/dev/sda1 {point} ext4 rw 0 0\n"));
    let node = [("data_dir", "/srv/usb/qpq"), ("mount_point", "/srv/usb")];
    router.configure(&node);
    mount("/srv/usb2");
    assert_eq!(router.service("boot").output.lines().count(), 0);
    assert_eq!(router.said(), "notice nothing is mounted at /srv/usb yet");
    assert!(!router.path("/srv/usb").exists());
    mount("/srv/usb");
    assert_eq!(router.hotplug("ACTION=add DEVICE=sda1", "mount"), ["started"]);
    assert_eq!(router.hotplug("ACTION=remove DEVICE=sdb1", "block"), [""; 0]);
    mount("/");
    assert_eq!(router.hotplug("ACTION=remove DEVICE=sda1", "block"), ["stopped"]);
    router.said();

    // A mount point that only fstab knows counts as well.
    router.configure(&node[..1]);
    router.write("/etc/config/fstab", "config mount 'usb'\n\toption target '/srv/usb'\n");
    assert_eq!(router.reload(), [""; 0]);
    assert_eq!(router.said(), "notice nothing is mounted at /srv/usb yet");
    router.configure(&[("mount_point", "/srv/usb")]);
    assert_eq!(router.reload(), [""; 0]);
    assert_eq!(router.said(), "err option 'mount_point' does not lead to data_dir");
}

#[test]
fn preparing_twice_is_as_good_as_once() {
    let Some(router) = Router::install("preparing_twice_is_as_good_as_once") else { return };
    router.write("/etc/config/firewall", "");
    assert!(router.run(DEFAULTS).is_ok);
    let rule = router.read("/tmp/uci");
    assert!(rule.contains("set firewall.qpq.enabled='0'") && rule.contains("commit firewall"), "{rule}");
    assert!(!rule.contains("qpq.node"), "the section is there: {rule}");
    assert!(router.run(DEFAULTS).is_ok);
    assert_eq!(router.read("/tmp/uci"), rule);
    // Somebody has removed the section, or the firewall.
    router.remove("/tmp/uci");
    router.remove("/etc/config/firewall");
    router.write("/etc/config/qpq", "");
    assert!(router.run(DEFAULTS).is_ok);
    assert_eq!(router.take("/tmp/uci"), ["set qpq.node=qpq", "set qpq.node.enabled=0", "commit qpq"]);
}

#[test]
fn it_stops_before_its_files_are_archived() {
    let Some(router) = Router::install("it_stops_before_its_files_are_archived") else { return };
    router.configure(&[]);
    assert_eq!(router.reload(), ["started"]);
    let archive = "sysupgrade_init_conffiles=true; . /lib/upgrade/qpq.sh
        for hook in $sysupgrade_init_conffiles; do $hook; done";
    assert!(router.run(archive).is_ok);
    assert_eq!(router.take("/tmp/events"), ["stopped"]);
}
