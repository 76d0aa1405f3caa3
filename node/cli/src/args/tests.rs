use std::time::Duration;

use clap::error::ErrorKind;

use super::*;
use crate::commands::invite::InviteCommand;
use crate::commands::send::WaitState;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("qpq").chain(line.split_whitespace()))
}

fn command(line: &str) -> Command {
    parse(line).unwrap_or_else(|error| panic!("{line}: {error}")).command
}

#[test]
fn the_command_line_is_consistent() {
    command_line().debug_assert();
}

#[test]
fn recovery_is_understood() {
    for line in [
        "recovery setup --timeout 5m --yes",
        "recovery list",
        "recovery revoke 8",
        "recovery use qpq://relay/x --code-file code",
    ] {
        command(line);
    }
}

#[test]
fn a_relay_stands_before_the_command() {
    let token = "0c".repeat(32);
    for (line, relay) in [
        (format!("--relay qpq:x register --username alice --invitation {token}"), Some("qpq:x")),
        ("--relay qpq:x login --username alice --password-file /tmp/p".to_owned(), Some("qpq:x")),
        ("--relay qpq:x --data-dir /tmp/light send @bob hello".to_owned(), Some("qpq:x")),
        ("status".to_owned(), None),
    ] {
        assert_eq!(parse(&line).unwrap().relay.as_deref(), relay, "{line}");
    }
    assert!(parse("status --relay qpq:x").is_err());
}

#[test]
fn what_is_understood() {
    for line in [
        "init --name alice",
        "id --json",
        "--json status --watch",
        "--data-dir /tmp/d --socket /tmp/s status",
        "invite",
        "invite --qr --reusable --expires 7d",
        "invite list",
        "invite revoke 000102030405060708090a0b0c0d0e0f",
        "contact add qpq:link --name bob --wait --timeout 5m",
        "contact accept bob",
        "contact list",
        "contact rename @bob robert",
        "contact verify @bob",
        "contact verify @bob --match",
        "contact verify @bob --mismatch",
        "contact verify @bob --number 123",
        "contact block @bob --undo",
        "contact remove @bob --yes",
        "send @bob hello over there",
        "send @bob -",
        "send @bob < file",
        "send #picnic hello --wait delivered --timeout 30s",
        "read",
        "read @bob --follow",
        "read #picnic --since 12 --peek",
        "read #picnic --last 20",
        "group create picnic @bob @carol",
        "group list",
        "group invite #picnic @bob @carol --wait",
        "group invite #picnic --link --reusable --expires 2d --qr",
        "group join qpq:link --wait",
        "group leave #picnic -y",
        "group delete #picnic --yes",
        "group remove #picnic @bob --wait --timeout 10s",
        "group members #picnic",
        "group rotate #picnic",
        "mesh subscribe news --qr",
        "mesh subscribe qpq:link",
        "mesh unsubscribe news --yes",
        "mesh topics",
        "mesh broadcast news the well is repaired",
        "mesh broadcast news -",
        "mesh posts news --follow",
        "mesh posts news --since 12",
        "chat",
        "doctor",
        "events --since 0 --no-follow",
        "trace 00010203-0405-0607-0809-0a0b0c0d0e0f",
        "backup create /tmp/b --passphrase-file /tmp/p",
        "backup verify /tmp/b",
        "backup restore /tmp/b",
        "completions bash",
        "man",
        "man /tmp/man",
        "demo --keep",
    ] {
        command(line);
    }
}

#[test]
fn relays_are_understood() {
    for line in [
        "relay status",
        "relay invite --uses 3 --expires 2d",
        "relay register qpq://relay/x --username alice --password-file /tmp/p --timeout 2m",
        "relay register qpq://relay/x --username alice --invitation 00000000000000000000000000000000000000000000000000000000000000ff",
        "relay login qpq://relay/x --username alice",
        "relay leave qpq://relay/x --yes",
        "relay list --json",
        "relay users",
        "relay ban bob",
        "relay ban @bob --reason spam --for 7d",
        "relay unban bob",
        "relay banned",
        "relay reports",
        "relay reports --relay relay.example",
        "relay report 00010203-0405-0607-0809-0a0b0c0d0e0f --reason spam --before 3",
        "relay administrator add bob",
        "relay administrator remove bob",
        "relay audit --refused --limit 10",
    ] {
        command(line);
    }
}

#[test]
fn what_is_wrong_usage() {
    for line in [
        "",
        "init",
        "nonsense",
        "send",
        "send @bob hi --timeout 5s",
        "send @bob hi --wait read",
        "send @bob hi --wait sent --timeout 30",
        "contact verify @bob --match --mismatch",
        "contact verify @bob --match --number 1",
        "contact add",
        "contact add qpq:link --timeout 5s",
        "group delete",
        "group invite #picnic",
        "group invite #picnic @bob --link",
        "group invite #picnic @bob --reusable",
        "group invite #picnic --expires 2d",
        "invite revoke 12",
        "read @bob --since 1 --last 5",
        "read @bob --last 0",
        "trace message",
        "completions nonsense",
    ] {
        let error = parse(line).expect_err(line);
        assert!(error.use_stderr(), "{line}");
        assert_eq!(error.exit_code(), 2, "{line}");
    }
}

#[test]
fn help_and_version_are_answers() {
    for (line, kind) in [
        ("--help", ErrorKind::DisplayHelp),
        ("contact --help", ErrorKind::DisplayHelp),
        ("help send", ErrorKind::DisplayHelp),
        ("--version", ErrorKind::DisplayVersion),
    ] {
        let error = parse(line).expect_err(line);
        assert_eq!((error.kind(), error.use_stderr()), (kind, false), "{line}");
    }
}

#[test]
fn global_flags_may_stand_anywhere() {
    for line in ["--json --yes contact list", "contact --json list --yes", "contact list --json -y"] {
        let cli = parse(line).unwrap();
        assert!(cli.json && cli.yes, "{line}");
    }
}

#[test]
fn waiting_has_a_default() {
    let Command::Send(send) = command("send @bob hi there --wait sent") else { panic!("no send") };
    assert_eq!((send.wait, send.timeout), (Some(WaitState::Sent), Duration::from_secs(30)));
    assert_eq!(send.text, ["hi", "there"]);
}

#[test]
fn invite_alone_makes_a_link() {
    let Command::Invite(invite) = command("invite --expires 7d") else { panic!("no invite") };
    assert!(invite.command.is_none() && !invite.reusable);
    assert_eq!(invite.expires, Some(Duration::from_secs(604_800)));
    let Command::Invite(list) = command("invite list") else { panic!("no invite") };
    assert!(matches!(list.command, Some(InviteCommand::List)));
}

#[test]
fn every_command_and_flag_is_explained() {
    fn check(command: &clap::Command) {
        assert!(command.get_about().is_some(), "{} has no help", command.get_name());
        for argument in command.get_arguments() {
            assert!(
                argument.get_help().is_some(),
                "{} {} has no help",
                command.get_name(),
                argument.get_id()
            );
        }
        command.get_subcommands().for_each(check);
    }
    check(&command_line());
}

#[test]
fn the_help_as_people_see_it() {
    let help = command_line().term_width(100).render_help().to_string();
    assert_eq!(help, include_str!("help.txt"));
}
