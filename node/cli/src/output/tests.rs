use proptest::prelude::*;

use super::*;
use crate::exit::Exit;

#[derive(Serialize)]
struct Sample {
    text: String,
    count: u64,
}

impl Show for Sample {
    const SCHEMA: &'static str = "qpq.sample/1";

    fn human(&self, style: &Style) -> String {
        format!("{} {}", style.bold(&printable(&self.text)), self.count)
    }
}

fn sample(text: &str) -> Sample {
    Sample { text: text.to_owned(), count: 2 }
}

#[test]
fn json_has_its_schema_first_and_is_one_line() {
    let json = to_json(&sample("a\nb")).unwrap();
    assert_eq!(json, r#"{"schema":"qpq.sample/1","text":"a\nb","count":2}"#);
}

#[test]
fn json_holds_nothing_a_terminal_obeys() {
    let json = to_json(&sample("\u{9b}2J\u{202e}x\u{e0041}")).unwrap();
    assert_eq!(json, r#"{"schema":"qpq.sample/1","text":"\u009b2J\u202ex\udb40\udc41","count":2}"#);
}

#[test]
fn errors_name_the_command_that_helps() {
    let error = Error::Unreachable { reason: "the daemon is not running".into(), fix: "qpqd".into() };
    let message = error.to_string();
    let view = ErrorView { message: &message, exit: Exit::Unreachable as u8, fix: error.fix() };
    assert_eq!(view.human(&PLAIN), "qpq: the daemon is not running\n     try: qpqd");
    let json = r#"{"schema":"qpq.error/1","message":"the daemon is not running","exit":3,"fix":"qpqd"}"#;
    assert_eq!(to_json(&view).unwrap(), json);
}

#[test]
fn columns_stand_under_each_other() {
    let style = Style { colour: true, ..PLAIN };
    let rows =
        [["a".to_owned(), style.bold("one"), "x".to_owned()], ["long".into(), "2".into(), String::new()]];
    assert_eq!(columns(&rows), "a     \x1b[1mone\x1b[0m  x\nlong  2");
}

#[test]
fn a_closed_pipe_is_success() {
    let error = output_error(io::Error::from(io::ErrorKind::BrokenPipe));
    assert_eq!(error.exit(), Exit::Ok);
    assert!(error.is_silent());
}

proptest! {
    #[test]
    fn json_gives_back_the_text(text in any::<String>()) {
        let json = to_json(&sample(&text)).unwrap();
        prop_assert!(!json.chars().any(is_obeyed));
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(value["text"].as_str(), Some(text.as_str()));
    }
}
