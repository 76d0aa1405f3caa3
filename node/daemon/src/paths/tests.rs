use super::*;

/// Variables, and the path they lead to.
type Case<'a> = (&'a [(&'a str, &'a str)], Option<&'a str>);

fn environment(pairs: &[(&str, &str)]) -> Environment {
    Environment::from_iter(pairs.iter().copied())
}

#[test]
fn the_data_directory_follows_the_order_of_sources() {
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[("HOME", "/home/a")], "/home/a/.local/share/qpq"),
        (&[("HOME", "/home/a"), ("XDG_DATA_HOME", "/data")], "/data/qpq"),
        (&[("HOME", "/home/a"), ("XDG_DATA_HOME", "relative")], "/home/a/.local/share/qpq"),
        (&[("XDG_DATA_HOME", "/data"), ("STATE_DIRECTORY", "/var/lib/qpq")], "/var/lib/qpq"),
    ];
    for (variables, expected) in cases {
        let found = data_dir_of(&Settings::default(), &environment(variables)).unwrap();
        assert_eq!(found, Path::new(expected), "{variables:?}");
    }
    let settings = Settings { data_dir: Some("/named".into()), ..Settings::default() };
    let found = data_dir_of(&settings, &environment(&[("STATE_DIRECTORY", "/var/lib/qpq")])).unwrap();
    assert_eq!(found, Path::new("/named"));
}

#[test]
fn without_a_home_the_error_names_the_flag() {
    let error = data_dir_of(&Settings::default(), &environment(&[])).unwrap_err();
    assert!(error.to_string().contains("--data-dir"), "{error}");
}

#[test]
fn the_socket_lies_in_the_data_directory_unless_named() {
    let home = environment(&[("HOME", "/home/a")]);
    let found = socket_of(&Settings::default(), &home).unwrap();
    assert_eq!(found, Path::new("/home/a/.local/share/qpq/qpqd.sock"));
    let settings = Settings { socket: Some("/run/q.sock".into()), ..Settings::default() };
    assert_eq!(socket_of(&settings, &home).unwrap(), Path::new("/run/q.sock"));
}

#[test]
fn a_socket_path_too_long_names_the_flag() {
    let longest = format!("/{}", "d".repeat(SOCKET_PATH_BYTES_MAX - "//qpqd.sock".len()));
    assert!(socket_path(Path::new(&longest)).is_ok());
    let error = socket_path(Path::new(&format!("{longest}d"))).unwrap_err();
    assert!(error.to_string().contains("--socket"), "{error}");
}

#[test]
fn keys_lie_beside_the_settings_unless_a_service_has_a_place_for_them() {
    let cases: &[Case<'_>] = &[
        (&[], None),
        (&[("HOME", "/home/a")], Some("/home/a/.config/qpq/keys")),
        (&[("HOME", "/"), ("STATE_DIRECTORY", "/var/lib/qpq")], Some("/etc/qpq/keys")),
        (&[("HOME", "/"), ("STATE_DIRECTORY", "/var/lib/qpq:/var/lib/keys")], Some("/var/lib/keys")),
    ];
    for (variables, expected) in cases {
        assert_eq!(keys_dir(&environment(variables)).as_deref(), expected.map(Path::new), "{variables:?}");
    }
}

#[test]
fn settings_lie_where_a_service_or_a_user_keeps_them() {
    let cases: &[Case<'_>] = &[
        (&[], None),
        (&[("HOME", "/home/a")], Some("/home/a/.config/qpq/qpqd.toml")),
        (&[("HOME", "/home/a"), ("XDG_CONFIG_HOME", "/c")], Some("/c/qpq/qpqd.toml")),
        (&[("HOME", "/home/a"), ("STATE_DIRECTORY", "/s")], Some("/etc/qpq/qpqd.toml")),
        (
            &[("STATE_DIRECTORY", "/s"), ("CONFIGURATION_DIRECTORY", "/etc/other")],
            Some("/etc/other/qpqd.toml"),
        ),
    ];
    for (variables, expected) in cases {
        assert_eq!(
            default_config_file(&environment(variables)).as_deref(),
            expected.map(Path::new),
            "{variables:?}"
        );
    }
}

/// What a process finds: data directory, socket and settings.
fn places(variables: &[(&str, &str)]) -> [Option<String>; 3] {
    let environment = environment(variables);
    let text = |path: PathBuf| path.display().to_string();
    [
        data_dir_of(&Settings::default(), &environment).ok().map(text),
        socket_of(&Settings::default(), &environment).ok().map(text),
        default_config_file(&environment).map(text),
    ]
}

#[test]
fn users_and_services_find_everything_in_their_own_places() {
    type Case<'a> = (&'a [(&'a str, &'a str)], [&'a str; 3]);
    let cases: &[Case<'_>] = &[
        (&[], ["", "", ""]),
        (
            &[("HOME", "/home/a")],
            [
                "/home/a/.local/share/qpq",
                "/home/a/.local/share/qpq/qpqd.sock",
                "/home/a/.config/qpq/qpqd.toml",
            ],
        ),
        (
            &[("HOME", "/home/a"), ("XDG_DATA_HOME", "/d"), ("XDG_CONFIG_HOME", "/c")],
            ["/d/qpq", "/d/qpq/qpqd.sock", "/c/qpq/qpqd.toml"],
        ),
        (&[("XDG_DATA_HOME", "/d")], ["/d/qpq", "/d/qpq/qpqd.sock", ""]),
        (&[("XDG_CONFIG_HOME", "/c")], ["", "", "/c/qpq/qpqd.toml"]),
        (
            &[("HOME", "/home/a"), ("XDG_DATA_HOME", ""), ("XDG_CONFIG_HOME", "")],
            [
                "/home/a/.local/share/qpq",
                "/home/a/.local/share/qpq/qpqd.sock",
                "/home/a/.config/qpq/qpqd.toml",
            ],
        ),
        (
            &[("HOME", "/home/a"), ("XDG_DATA_HOME", "d"), ("XDG_CONFIG_HOME", "c")],
            [
                "/home/a/.local/share/qpq",
                "/home/a/.local/share/qpq/qpqd.sock",
                "/home/a/.config/qpq/qpqd.toml",
            ],
        ),
        (
            &[("STATE_DIRECTORY", "/var/lib/qpq"), ("HOME", "/home/a"), ("XDG_CONFIG_HOME", "/c")],
            ["/var/lib/qpq", "/var/lib/qpq/qpqd.sock", "/etc/qpq/qpqd.toml"],
        ),
        (
            &[("STATE_DIRECTORY", "/s:/k"), ("CONFIGURATION_DIRECTORY", "/etc/a:/etc/b")],
            ["/s", "/s/qpqd.sock", "/etc/a/qpqd.toml"],
        ),
        (&[("HOME", "relative")], ["", "", ""]),
    ];
    for (variables, expected) in cases {
        let expected = expected.map(|path| (!path.is_empty()).then(|| path.to_owned()));
        assert_eq!(places(variables), expected, "{variables:?}");
    }
}

#[test]
fn the_settings_file_may_name_the_places_and_is_overridden() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("qpqd.toml");
    std::fs::write(&file, "data_dir = '/file/data'\nsocket = '/file/s'").unwrap();
    let config = ("QPQ_CONFIG", file.to_str().unwrap());
    let read = |variables: &[(&str, &str)], data_dir: Option<&str>, socket: Option<&str>| {
        let environment = environment(&[&[config], variables].concat());
        let settings = read_settings(&environment, data_dir.map(PathBuf::from), socket.map(PathBuf::from));
        let settings = settings.unwrap();
        let found = (data_dir_of(&settings, &environment), socket_of(&settings, &environment));
        [found.0.unwrap(), found.1.unwrap()].map(|path| path.display().to_string())
    };
    assert_eq!(read(&[], None, None), ["/file/data", "/file/s"]);
    assert_eq!(read(&[("QPQ_DATA_DIR", "/v")], None, None), ["/v", "/file/s"]);
    assert_eq!(read(&[("QPQ_SOCKET", "")], None, None), ["/file/data", "/file/data/qpqd.sock"]);
    assert_eq!(read(&[("QPQ_DATA_DIR", "/v")], Some("/f"), Some("/f/s")), ["/f", "/f/s"]);
}

#[test]
fn settings_that_cannot_be_read_are_told_as_they_are() {
    let environment = environment(&[("QPQ_CONFIG", "/nonexistent/qpqd.toml")]);
    let error = read_settings(&environment, None, None).unwrap_err();
    assert_eq!(error.to_string(), "/nonexistent/qpqd.toml: no such settings file");
    assert!(matches!(error, PathError::Settings(_)));
}
