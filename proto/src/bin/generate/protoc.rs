//! Runs `protoc` over every `.proto` file.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

use prost_reflect::DescriptorPool;
use prost_reflect::prost::Message;
use prost_reflect::prost_types::FileDescriptorSet;

use crate::Error;

/// The encoded `FileDescriptorSet` of all files, with comments and imports.
pub(crate) fn descriptor_set() -> Result<Vec<u8>, Error> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scratch = Scratch::create()?;
    let well_known = scratch.file("well-known.bin");
    fs::write(&well_known, well_known_files())?;
    let result = scratch.file("descriptors.bin");
    let program = program();
    let status = Command::new(&program)
        .arg(format!("--proto_path={}", root.display()))
        .arg(format!("--descriptor_set_in={}", well_known.display()))
        .args(["--include_imports", "--include_source_info"])
        .arg(format!("--descriptor_set_out={}", result.display()))
        .args(sources(root)?)
        .status()
        .map_err(|error| not_started(&program, &error))?;
    if !status.success() {
        return Err(format!("{} failed: {status}", program.display()).into());
    }
    Ok(fs::read(result)?)
}

/// The files of `qpq/v1`, relative to the crate, in the order of their names.
fn sources(root: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root.join("qpq/v1"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".proto") {
            names.push(format!("qpq/v1/{name}"));
        }
    }
    names.sort();
    Ok(names)
}

/// The descriptors of `google/protobuf/*.proto`, so that a `protoc` without its include directory is enough.
fn well_known_files() -> Vec<u8> {
    let file = DescriptorPool::global().file_descriptor_protos().cloned().collect();
    FileDescriptorSet { file }.encode_to_vec()
}

fn program() -> PathBuf {
    env::var_os("PROTOC").map_or_else(default_program, PathBuf::from)
}

#[cfg(feature = "generate-vendored")]
fn default_program() -> PathBuf {
    protobuf_src::protoc()
}

#[cfg(not(feature = "generate-vendored"))]
fn default_program() -> PathBuf {
    PathBuf::from("protoc")
}

fn not_started(program: &Path, error: &io::Error) -> String {
    format!(
        "cannot run {}: {error}; install protoc 3.21 or later (Debian: apt-get install protobuf-compiler), \
         name it in PROTOC, or use --features generate-vendored",
        program.display()
    )
}

/// A directory that is removed in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn create() -> io::Result<Self> {
        let path = env::temp_dir().join(format!("qpq-proto-generate-{}", std::process::id()));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Left behind, it would only take space in the system's temporary directory.
        let _ = fs::remove_dir_all(&self.0);
    }
}
