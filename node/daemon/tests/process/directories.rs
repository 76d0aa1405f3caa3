//! Directories that others can enter, and those that others own.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use rustix::process::Signal;

use crate::daemon::Home;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o7777
}

#[test]
fn a_data_directory_that_is_open_to_others_is_closed_and_that_is_said_once() {
    let home = Home::new();
    fs::create_dir(home.data_dir()).unwrap();
    fs::set_permissions(home.data_dir(), Permissions::from_mode(0o755)).unwrap();
    let daemon = home.start();
    let [said] = &daemon.before[..] else { panic!("{:?}", daemon.before) };
    let wanted =
        format!("{} was open to others (mode 755); it is closed to them now", home.data_dir().display());
    assert!(said.contains("WARN") && said.ends_with(&wanted), "{said}");
    assert_eq!(mode(&home.data_dir()), 0o700);
    daemon.stop();
    let again = home.start();
    assert!(again.before.is_empty(), "{:?}", again.before);
    again.stop();
}

#[test]
fn a_link_to_a_data_directory_leads_to_what_is_closed() {
    let home = Home::new();
    fs::create_dir(home.path("real")).unwrap();
    fs::set_permissions(home.path("real"), Permissions::from_mode(0o775)).unwrap();
    std::os::unix::fs::symlink(home.path("real"), home.data_dir()).unwrap();
    let daemon = home.start();
    assert_eq!(mode(&home.path("real")), 0o700);
    assert!(home.path("real/qpqd.sock").exists());
    daemon.stop();
}

#[test]
fn somebody_elses_data_directory_is_refused() {
    let home = Home::new();
    fs::create_dir(home.data_dir()).unwrap();
    // Only a privileged test can give a directory away.
    if chown(home.data_dir(), Some(4_321), None).is_err() {
        return;
    }
    let (code, said) = home.run(&mut home.command());
    assert_eq!(code, 1);
    assert!(said.starts_with("qpqd: ~/data: this directory belongs to another user (uid 4321)"), "{said}");
    assert_eq!(fs::read_dir(home.data_dir()).unwrap().count(), 0, "nothing was made in it");
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_command_that_helps() {
    let home = Home::new();
    home.start().stop();
    let keys = home.path(".config/qpq/keys");
    let key = fs::read_dir(&keys).unwrap().map(|entry| entry.unwrap().path());
    let key =
        key.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "key")).unwrap();
    fs::set_permissions(&key, Permissions::from_mode(0o640)).unwrap();
    let (code, said) = home.run(&mut home.command());
    let name = key.file_name().unwrap().to_str().unwrap();
    let path = format!("~/.config/qpq/keys/{name}");
    let wanted = format!("qpqd: {path}: others can read this file (mode 0640); run: chmod 600 {path}\n");
    assert_eq!((code, said), (1, wanted));
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    home.start().stop();
}

#[test]
fn what_is_made_is_closed_to_others_whatever_the_shell_permits() {
    let home = Home::new();
    // A shell that permits everything.
    let mut command = std::process::Command::new("sh");
    let daemon = home.command();
    command.args(["-c", "umask 000; exec \"$0\" \"$@\""]).arg(daemon.get_program()).args(daemon.get_args());
    command.env_clear().envs(daemon.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.stdin(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
    let daemon = crate::daemon::Daemon::start(command);
    assert_eq!(mode(&home.data_dir()), 0o700);
    for entry in fs::read_dir(home.data_dir()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
    }
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.wait().0.code(), Some(0));
}
