//! What the packages consist of.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;
use toml::Table;

use crate::router::Router;
use crate::{has, repository, text};

/// Scripts of both packages, and the stand-ins for what runs them, without the check of what they read.
const SCRIPTS: [&str; 12] = [
    "openwrt/qpq/files/qpq.init",
    "openwrt/qpq/files/qpq.defaults",
    "openwrt/qpq/files/qpq.hotplug",
    "openwrt/qpq/files/qpq.storage",
    "openwrt/qpq/files/qpq.upgrade",
    "openwrt/qpq/files/qpq.profile",
    page_file!("/usr/libexec/rpcd/qpq"),
    page_file!("/etc/uci-defaults/luci-app-qpq"),
    "tests/tests/openwrt/router/lib/functions.sh",
    "tests/tests/openwrt/router/lib/functions/procd.sh",
    "tests/tests/openwrt/router/lib/functions/network.sh",
    "tests/tests/openwrt/router/etc/rc.common",
];

#[test]
fn scripts_are_ones_of_the_shell_of_a_router() {
    if !has("scripts_are_ones_of_the_shell_of_a_router", &["busybox", "shellcheck"]) {
        return;
    }
    for script in SCRIPTS {
        let path = repository().join(script);
        let read = Command::new("busybox").args(["ash", "-n"]).arg(&path).output().unwrap();
        assert!(read.status.success(), "{script}: {}", String::from_utf8_lossy(&read.stderr));
        // `local` is the one thing beyond POSIX that this shell is trusted with.
        let exempt =
            if script.starts_with("tests/") { "SC3043,SC1090,SC1091,SC2034,SC2154" } else { "SC3043" };
        let linted =
            Command::new("shellcheck").args(["-s", "dash", "-e", exempt]).arg(&path).output().unwrap();
        assert!(linted.status.success(), "{}", String::from_utf8_lossy(&linted.stdout));
    }
}

#[test]
fn files_lie_where_openwrt_looks_for_them() {
    let Some(router) = Router::install("files_lie_where_openwrt_looks_for_them") else { return };
    for (path, mode) in [
        ("/usr/bin/qpqd", 0o755),
        ("/etc/config/qpq", 0o600),
        ("/etc/init.d/qpq", 0o755),
        ("/etc/uci-defaults/qpq", 0o755),
        ("/etc/capabilities/qpq.json", 0o644),
        ("/etc/profile.d/qpq.sh", 0o644),
        ("/etc/hotplug.d/iface/90-qpq", 0o644),
        ("/etc/hotplug.d/block/90-qpq", 0o644),
        ("/etc/hotplug.d/mount/90-qpq", 0o644),
        ("/lib/upgrade/keep.d/qpq", 0o644),
        ("/lib/upgrade/qpq.sh", 0o644),
        ("/usr/libexec/rpcd/qpq", 0o755),
        ("/usr/share/rpcd/acl.d/luci-app-qpq.json", 0o644),
        ("/usr/share/luci/menu.d/luci-app-qpq.json", 0o644),
        ("/www/luci-static/resources/view/qpq/status.js", 0o644),
        ("/www/luci-static/resources/view/qpq/settings.js", 0o644),
    ] {
        let metadata = fs::metadata(router.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{path}");
    }
    assert_eq!(fs::read_link(router.path("/usr/bin/qpq")).unwrap().to_str(), Some("qpqd"));
    assert_eq!(router.read("/lib/upgrade/keep.d/qpq"), "/etc/qpq/\n");
    let every: Vec<_> = fs::read_dir(repository().join("openwrt/qpq/files")).unwrap().collect();
    let makefile = text("openwrt/qpq/Makefile");
    for file in every {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(makefile.contains(&format!("./files/{name} ")), "the Makefile does not install {name}");
    }
}

#[test]
fn the_makefiles_tell_the_buildroot_what_holds() {
    let Some(router) = Router::install("the_makefiles_tell_the_buildroot_what_holds") else { return };
    let version = format!("version {}", env!("CARGO_PKG_VERSION"));
    let facts = router.make("qpq", "facts");
    let packed: Table = text("openwrt/packages.toml").parse().unwrap();
    let user = format!("user {}", packed["qpqd"]["user"].as_str().unwrap());
    for fact in
        ["name qpqd", &version, &user, "profile router", "features device", "conffiles /etc/config/qpq"]
    {
        assert!(facts.lines().any(|line| line == fact), "{fact} in\n{facts}");
    }
    let facts = router.make("luci-app-qpq", "facts");
    assert!(facts.contains("name luci-app-qpq") && facts.contains(&version), "{facts}");
    assert!(text("Cargo.toml").contains("\n[profile.router]\n"));
}

/// The packages that are made without a buildroot, by `openwrt/build`, bring the same files along.
#[test]
fn both_ways_to_pack_agree_on_the_files() {
    let Some(router) = Router::install("both_ways_to_pack_agree_on_the_files") else { return };
    let packed: Table = text("openwrt/packages.toml").parse().unwrap();
    let files = packed["qpqd"]["files"].as_table().unwrap();
    let makefile = text("openwrt/qpq/Makefile");
    for (place, source) in files {
        let source = format!("openwrt/{}", source.as_str().unwrap());
        assert_eq!(router.read(place), text(&source), "{place}");
        let is_program = |metadata: fs::Metadata| metadata.permissions().mode() & 0o100 != 0;
        let [here, there] = [fs::metadata(repository().join(&source)), fs::metadata(router.path(place))];
        assert_eq!(
            is_program(here.unwrap()),
            is_program(there.unwrap()),
            "{source}: its mode here is the device's"
        );
    }
    assert_eq!(makefile.matches(" ./files/").count(), files.len(), "the Makefile installs something else");
}

#[test]
fn the_daemon_gets_no_capability() {
    let capabilities: Value = serde_json::from_str(&text("openwrt/qpq/files/qpq.capabilities.json")).unwrap();
    let sets = capabilities.as_object().unwrap();
    for name in ["bounding", "effective", "ambient", "permitted", "inheritable"] {
        assert_eq!(sets[name], serde_json::json!([]), "{name}");
    }
    assert_eq!(sets.len(), 5);
}
