//! A root file system of a router in a temporary folder, and scripts that run in it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use qpq_tests::daemon_binary;
use tempfile::TempDir;

use crate::{has, repository};

/// A router with both packages installed, and an interface `lan` that has addresses.
pub(crate) struct Router {
    folder: TempDir,
}

/// What a script left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Whether its exit code was 0.
    pub(crate) is_ok: bool,
    /// Both of its outputs.
    pub(crate) output: String,
}

impl Router {
    /// Installs the packages. None where the programs for it are not there; the test is skipped then.
    #[track_caller]
    pub(crate) fn install(test: &str) -> Option<Self> {
        if !has(test, &["busybox", "make", "unshare", "chroot"]) {
            return None;
        }
        // Where the daemon is built, so that it can be linked instead of copied.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let router = Self { folder };
        router.add_system();
        router.add_daemon();
        for package in ["qpq", "luci-app-qpq"] {
            router.make(package, "install");
        }
        if !router.run("true").is_ok {
            qpq_tests::skip(test, "no namespace for a root file system can be made");
            return None;
        }
        Some(router)
    }

    /// A path of the router's.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path.trim_start_matches('/'))
    }

    /// The content of a file; nothing where there is none.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read(self.path(path))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Writes a file, and the folders that lead to it.
    #[track_caller]
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Removes a file or a folder with everything in it, if it is there.
    pub(crate) fn remove(&self, path: &str) {
        let path = self.path(path);
        // Absent is as good as removed.
        let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    }

    /// The lines of a file that a stand-in wrote since this was asked the last time.
    pub(crate) fn take(&self, path: &str) -> Vec<String> {
        let lines = self.read(path).lines().map(str::to_owned).collect();
        self.remove(path);
        lines
    }

    /// Has the router's shell run a command, with the folder as its root.
    #[track_caller]
    pub(crate) fn run(&self, script: &str) -> Ran {
        self.run_after("true", script)
    }

    /// The same, after a command that sees the whole machine, but whose mounts nobody else sees.
    #[track_caller]
    pub(crate) fn run_after(&self, preparation: &str, script: &str) -> Ran {
        let mut command = Command::new("unshare");
        if !rustix::process::geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        // Namespaces may not make devices, but may bind one.
        let enter =
            r#"mount --bind /dev/null "$1/dev/null" && eval "$3" && exec chroot "$1" /bin/sh -c "$2""#;
        let run = command
            .args(["--mount", "sh", "-c", enter, "sh"])
            .arg(self.folder.path())
            .args([script, preparation])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let output = [run.stdout, run.stderr].concat();
        Ran { is_ok: run.status.success(), output: String::from_utf8_lossy(&output).into_owned() }
    }

    /// Gives the service a command.
    #[track_caller]
    pub(crate) fn service(&self, command: &str) -> Ran {
        self.run(&format!("/etc/rc.common /etc/init.d/qpq {command}"))
    }

    /// Has a package's Makefile make something, and gives what it said.
    #[track_caller]
    pub(crate) fn make(&self, package: &str, target: &str) -> String {
        let made = Command::new("make")
            .args(["--silent", "-C"])
            .arg(repository().join("openwrt").join(package))
            .arg(format!("TOPDIR={}/tests/tests/openwrt/buildroot", repository().display()))
            .arg(format!("PKG_INSTALL_DIR={}", self.path("built").display()))
            .arg(format!("ROOT={}", self.folder.path().display()))
            .arg(target)
            .output()
            .unwrap();
        assert!(made.status.success(), "{package}: {}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8(made.stdout).unwrap()
    }

    /// BusyBox, and the stand-ins.
    fn add_system(&self) {
        let busybox = which("busybox");
        for folder in ["bin", "dev", "tmp/network", "proc", "etc/config", "built/bin"] {
            fs::create_dir_all(self.path(folder)).unwrap();
        }
        fs::copy(busybox, self.path("bin/busybox")).unwrap();
        for applet in APPLETS {
            symlink("busybox", self.path("bin").join(applet)).unwrap();
        }
        symlink("tmp", self.path("var")).unwrap();
        for empty in ["dev/null", "proc/mounts", "etc/hosts", "etc/resolv.conf"] {
            self.write(empty, "");
        }
        self.write("tmp/network/lan.4", "192.168.1.1\n");
        copy_tree(&repository().join("tests/tests/openwrt/router"), self.folder.path());
    }

    /// The daemon where the package's Makefile expects what was built, and the libraries it needs.
    fn add_daemon(&self) {
        link(daemon_binary(), &self.path("built/bin/qpqd"));
        self.add_libraries(daemon_binary());
    }

    /// The libraries that a program needs.
    pub(crate) fn add_libraries(&self, program: &Path) {
        let listed = Command::new("ldd").arg(program).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        for library in listed.split_whitespace().filter(|word| word.starts_with('/')) {
            let place = self.path(library);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::copy(library, place).unwrap();
        }
    }
}

/// Puts a file in a second place, without a copy where that is possible.
pub(crate) fn link(from: &Path, to: &Path) {
    if fs::hard_link(from, to).is_err() {
        fs::copy(from, to).unwrap();
    }
}

fn which(program: &str) -> PathBuf {
    let folders = std::env::var_os("PATH").unwrap();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.exists());
    found.unwrap().canonicalize().unwrap()
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &to);
            continue;
        }
        // A stand-in takes the place of the applet.
        let _ = fs::remove_file(&to);
        fs::copy(entry.path(), &to).unwrap();
        fs::set_permissions(&to, Permissions::from_mode(0o755)).unwrap();
    }
}

/// Programs of BusyBox as OpenWrt builds it that the packages' scripts use. Another one is not there.
const APPLETS: [&str; 16] = [
    "sh", "cat", "chmod", "cmp", "env", "grep", "ls", "md5sum", "mkdir", "mv", "pidof", "readlink", "rm",
    "sleep", "touch", "true",
];
