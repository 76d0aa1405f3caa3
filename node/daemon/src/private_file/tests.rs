use super::*;

#[test]
fn what_is_written_is_read_and_private() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys/a.key");
    write(&path, b"first").unwrap();
    write(&path, b"second").unwrap();
    assert_eq!(read(&path, 6, Guard::Mode).unwrap().as_slice(), b"second");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(parent(&path))), (0o600, 0o700));
    assert_eq!(fs::read_dir(parent(&path)).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn an_exposed_file_is_refused_with_the_command_that_helps() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.key");
    write(&path, b"secret").unwrap();
    for mode in [0o640, 0o604, 0o622] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let error = read(&path, 99, Guard::Mode).unwrap_err().to_string();
        assert!(error.ends_with(&format!("run: chmod 600 {}", path.display())), "{error}");
    }
    assert!(read(&path, 99, Guard::Directory).is_ok());
}

#[test]
fn each_violation_has_its_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.key");
    assert!(read(&path, 9, Guard::Mode).unwrap_err().is_missing());
    write(&path, b"0123456789").unwrap();
    assert!(matches!(read(&path, 9, Guard::Mode), Err(PrivateFileError::TooLong { bytes_max: 9, .. })));
    let error = read(directory.path(), 9, Guard::Mode).unwrap_err();
    assert!(matches!(error, PrivateFileError::NotAFile { .. }), "{error}");
    let error = write(&path.join("b"), b"x").unwrap_err();
    assert!(matches!(error, PrivateFileError::Io { .. }), "{error}");
}

#[test]
fn a_bare_name_lies_in_the_present_directory() {
    assert_eq!(parent(Path::new("a.key")), Path::new("."));
    assert_eq!(parent(Path::new("/a.key")), Path::new("/"));
}

/// A directory with these permission bits.
fn directory_with(mode: u32) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(mode)).unwrap();
    directory
}

fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_directory_is_made_closed_with_those_above_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a/b/data");
    assert_eq!(claim_directory(&path).unwrap(), None);
    for made in ["a", "a/b", "a/b/data"] {
        assert_eq!(mode_of(&directory.path().join(made)), 0o700, "{made}");
    }
}

#[test]
fn an_own_directory_is_closed_and_what_was_open_is_told() {
    for (before, told, after) in [
        (0o700, None, 0o700),
        (0o500, None, 0o500),
        (0o755, Some(0o755), 0o700),
        (0o701, Some(0o701), 0o700),
        (0o2770, Some(0o2770), 0o2700),
        (0o1777, Some(0o1777), 0o1700),
    ] {
        let directory = directory_with(before);
        assert_eq!(claim_directory(directory.path()).unwrap(), told, "{before:o}");
        assert_eq!(mode_of(directory.path()), after, "{before:o}");
        assert_eq!(claim_directory(directory.path()).unwrap(), None, "{before:o}");
    }
}

#[test]
fn it_is_the_directory_behind_a_link_that_is_closed() {
    let (real, links) = (directory_with(0o755), tempfile::tempdir().unwrap());
    let link = links.path().join("link");
    std::os::unix::fs::symlink(real.path(), &link).unwrap();
    assert_eq!(claim_directory(&link).unwrap(), Some(0o755));
    assert_eq!(mode_of(real.path()), 0o700);
}

/// Somebody else's directory: one given away, or where that is not permitted, the root.
fn somebody_elses() -> (tempfile::TempDir, PathBuf, u32) {
    const SOMEBODY: u32 = 4_321;
    let directory = directory_with(0o777);
    match std::os::unix::fs::chown(directory.path(), Some(SOMEBODY), None) {
        Ok(()) => {
            let path = directory.path().to_owned();
            (directory, path, SOMEBODY)
        }
        Err(_) => (directory, PathBuf::from("/"), 0),
    }
}

#[test]
fn somebody_elses_directory_is_refused_and_left_as_it_is() {
    let (_directory, path, owner) = somebody_elses();
    let before = mode_of(&path);
    let error = claim_directory(&path).unwrap_err();
    assert!(matches!(error, PrivateFileError::NotOurs { owner: found, .. } if found == owner), "{error}");
    assert!(error.to_string().contains(&format!("(uid {owner})")), "{error}");
    assert_eq!(mode_of(&path), before);
}

#[test]
fn what_is_no_directory_is_not_claimed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    fs::write(&path, b"x").unwrap();
    for path in [&path, &path.join("below")] {
        let error = claim_directory(path).unwrap_err();
        assert!(matches!(error, PrivateFileError::Io { .. }), "{error}");
        assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
    }
}

#[test]
fn every_bit_for_others_exposes_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.key");
    write(&path, b"secret").unwrap();
    for bit in 0..9 {
        let mode = 0o600 | 1 << bit;
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let exposed = matches!(read(&path, 99, Guard::Mode), Err(PrivateFileError::Exposed { mode: found, .. })
            if found == mode);
        assert_eq!(exposed, bit < 6, "{mode:o}");
    }
}

#[test]
fn the_length_that_is_allowed_is_read_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.key");
    for length in [0, 1, 32, 4_096] {
        let content = vec![7; length];
        write(&path, &content).unwrap();
        let length = length as u64;
        assert_eq!(*read(&path, length, Guard::Mode).unwrap(), content);
        let refused = read(&path, length.saturating_sub(1), Guard::Mode);
        assert_eq!(refused.is_err(), length > 0, "{length} bytes");
    }
}

#[test]
fn a_write_that_fails_leaves_the_old_content_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.key");
    // A directory of that name cannot be replaced by a file.
    fs::create_dir(&path).unwrap();
    fs::write(path.join("inside"), b"precious").unwrap();
    assert!(matches!(write(&path, b"secret"), Err(PrivateFileError::Io { .. })));
    assert_eq!(fs::read(path.join("inside")).unwrap(), b"precious");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn an_exposed_file_is_replaced_by_a_private_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.key");
    fs::write(&path, b"old").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
    write(&path, b"new").unwrap();
    assert_eq!((mode_of(&path), fs::read(&path).unwrap()), (0o600, b"new".to_vec()));
}
