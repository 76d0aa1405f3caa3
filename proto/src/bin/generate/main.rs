//! Generates everything that follows from the `.proto` files: messages, method table, handler traits, client, and the
//! reference page.
//!
//! `generate` writes the files; `generate --check` writes nothing and fails if one differs. The generator is built with
//! the library and so with the files generated before: change the `.proto` files and generate first, then the code that
//! uses what is new.

mod checks;
mod descriptor;
mod markdown;
mod messages;
mod output;
mod protoc;
mod rust;

use std::io::{self, Write};
use std::process::ExitCode;

use output::Output;

type Error = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            complain(&format!("generate: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode, Error> {
    let check = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => false,
        [flag] if flag == "--check" => true,
        _ => return Err("usage: generate [--check]".into()),
    };
    let outputs = outputs()?;
    if check { Ok(differing(&outputs)) } else { write(&outputs) }
}

/// Everything that is generated, in memory.
fn outputs() -> Result<Vec<Output>, Error> {
    let descriptor_set = protoc::descriptor_set()?;
    let table = descriptor::read(&descriptor_set)?;
    let violations = checks::violations(&table);
    if !violations.is_empty() {
        return Err(format!("the method table is wrong:\n  {}", violations.join("\n  ")).into());
    }
    Ok(vec![
        Output::rust("proto/src/generated/messages.rs", &messages::emit(&descriptor_set)?)?,
        Output::rust("proto/src/generated/methods.rs", &rust::methods(&table))?,
        Output::rust("proto/src/generated/services.rs", &rust::services(&table))?,
        Output::rust("proto/src/generated/client.rs", &rust::client(&table))?,
        Output::text("docs/src/protocol/methods.md", markdown::emit(&table)),
    ])
}

fn write(outputs: &[Output]) -> Result<ExitCode, Error> {
    for output in outputs {
        output.write()?;
    }
    Ok(ExitCode::SUCCESS)
}

fn differing(outputs: &[Output]) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for output in outputs.iter().filter(|output| output.differs()) {
        complain(&format!("{} differs from what the .proto files say: run the generator", output.path()));
        code = ExitCode::FAILURE;
    }
    code
}

/// Writes a line to standard error; there is nowhere to report that this failed.
fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
