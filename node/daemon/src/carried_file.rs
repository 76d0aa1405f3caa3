//! Bundles in a file that somebody carries by hand: the engine gives and takes them in pages, and the file is read and
//! written here, with no more of it in memory than a page.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use prost::Message;
use qpq_mesh::sneakernet::{self, FileError, Reader};
use qpq_proto::limits::TAKEN_BUNDLES_MAX;
use qpq_proto::{Failure, Method, v1};

use crate::service::Writer;

/// The owner's calls of the engine, as far as files need them.
pub(crate) trait Custody {
    /// Calls a method.
    fn call(&self, method: Method, payload: Bytes) -> Result<Bytes, Failure>;
}

/// Calls the engine from a thread that may wait.
struct Waiting {
    writer: Writer,
    runtime: tokio::runtime::Handle,
}

impl Custody for Waiting {
    fn call(&self, method: Method, payload: Bytes) -> Result<Bytes, Failure> {
        self.runtime.block_on(self.writer.call(qpq_engine::Caller::Owner, method, payload))
    }
}

/// Writes copies of the bundles in custody to a new file.
pub(crate) async fn export(
    writer: &Writer,
    request: v1::ExportBundlesRequest,
    wall_ms: u64,
) -> Result<v1::ExportBundlesResponse, Failure> {
    let path = absolute(&request.path)?;
    in_background(writer, move |custody| write(custody, &path, wall_ms)).await
}

/// Takes the bundles of a file.
pub(crate) async fn import(
    writer: &Writer,
    request: v1::ImportBundlesRequest,
) -> Result<v1::ImportBundlesResponse, Failure> {
    let path = absolute(&request.path)?;
    in_background(writer, move |custody| read(custody, &path)).await
}

/// Does slow work on a file where it keeps no call waiting.
async fn in_background<R: Send + 'static>(
    writer: &Writer,
    work: impl FnOnce(&Waiting) -> Result<R, Failure> + Send + 'static,
) -> Result<R, Failure> {
    let custody = Waiting { writer: writer.clone(), runtime: tokio::runtime::Handle::current() };
    tokio::task::spawn_blocking(move || work(&custody)).await.map_err(|_| Failure::internal())?
}

fn absolute(path: &str) -> Result<PathBuf, Failure> {
    match Path::new(path) {
        path if path.is_absolute() => Ok(path.to_owned()),
        _ => Err(Failure::bad_request("path", "the path must be absolute")),
    }
}

fn write(custody: &impl Custody, path: &Path, wall_ms: u64) -> Result<v1::ExportBundlesResponse, Failure> {
    let file = OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| {
        if error.kind() == ErrorKind::AlreadyExists {
            return Failure::conflict(format!("{} exists already: choose another name", path.display()));
        }
        refused(path, &error)
    })?;
    let written = write_bundles(custody, path, file, wall_ms);
    if written.is_err() {
        // It is of no use, and what went wrong is told already.
        let _ = std::fs::remove_file(path);
    }
    written
}

fn write_bundles(
    custody: &impl Custody,
    path: &Path,
    mut file: File,
    wall_ms: u64,
) -> Result<v1::ExportBundlesResponse, Failure> {
    let (mut writer, start) = sneakernet::Writer::begin(wall_ms);
    let mut response = v1::ExportBundlesResponse::default();
    let mut put = |bytes: Bytes| {
        response.bytes += bytes.len() as u64;
        file.write_all(&bytes).map_err(|error| refused(path, &error))
    };
    put(start)?;
    let mut after = Vec::new();
    loop {
        let page: v1::CopyBundlesResponse =
            ask(custody, Method::CopyBundles, &v1::CopyBundlesRequest { after, bytes_max: 0 })?;
        response.bundles += page.bundles.len() as u64;
        for bundle in page.bundles {
            let bundle = sneakernet::from_message(bundle).map_err(|_| Failure::internal())?;
            put(writer.bundle(&bundle))?;
        }
        if page.next.is_empty() {
            break;
        }
        after = page.next;
    }
    put(writer.end())?;
    // Whoever pulls out the stick now has it all.
    file.sync_all().map_err(|error| refused(path, &error))?;
    Ok(response)
}

fn read(custody: &impl Custody, path: &Path) -> Result<v1::ImportBundlesResponse, Failure> {
    let metadata = std::fs::metadata(path).map_err(|error| refused(path, &error))?;
    if !metadata.is_file() {
        return Err(Failure::bad_request("path", format!("{} is not a file", path.display())));
    }
    let mut file = File::open(path).map_err(|error| refused(path, &error))?;
    let mut import = Import { custody, reader: Reader::new(), page: Vec::new(), counts: Default::default() };
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match file.read(&mut chunk).map_err(|error| refused(path, &error))? {
            0 => return import.finish().map_err(|error| import_failed(path, &error)),
            length => import.push(&chunk[..length]).map_err(|error| import_failed(path, &error))?,
        }
    }
}

/// A file that is being read.
struct Import<'a, C> {
    custody: &'a C,
    reader: Reader,
    page: Vec<v1::MeshBundle>,
    counts: v1::ImportBundlesResponse,
}

/// Why a file was not read to its end.
#[derive(Debug)]
enum ImportError {
    /// The file is no good from some place on; what was before it is counted.
    File(FileError, v1::ImportBundlesResponse),
    /// The engine refused.
    Engine(Failure),
}

impl<C: Custody> Import<'_, C> {
    fn push(&mut self, bytes: &[u8]) -> Result<(), ImportError> {
        self.reader.push(bytes);
        loop {
            match self.reader.next() {
                Ok(Some(bundle)) => self.page.push(sneakernet::to_message(&bundle)),
                Ok(None) => break,
                Err(error) => return Err(self.stopped(error)),
            }
            if self.page.len() == PAGE_BUNDLES {
                self.give()?;
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<v1::ImportBundlesResponse, ImportError> {
        if let Err(error) = self.reader.finish() {
            return Err(self.stopped(error));
        }
        self.give()?;
        Ok(self.counts)
    }

    /// Those before the damage are good: each bundle protects itself.
    fn stopped(&mut self, error: FileError) -> ImportError {
        match self.give() {
            Ok(()) => ImportError::File(error, self.counts),
            Err(failure) => failure,
        }
    }

    fn give(&mut self) -> Result<(), ImportError> {
        if self.page.is_empty() {
            return Ok(());
        }
        let copied_at_ms = self.reader.wall_ms().unwrap_or_default();
        let request = v1::TakeBundlesRequest { bundles: std::mem::take(&mut self.page), copied_at_ms };
        let taken: v1::TakeBundlesResponse =
            ask(self.custody, Method::TakeBundles, &request).map_err(ImportError::Engine)?;
        self.counts.taken += taken.taken;
        self.counts.known += taken.known;
        self.counts.refused += taken.refused;
        Ok(())
    }
}

fn import_failed(path: &Path, error: &ImportError) -> Failure {
    match error {
        ImportError::Engine(failure) => failure.clone(),
        ImportError::File(error, counts) => {
            let read = counts.taken + counts.known + counts.refused;
            let before = if read == 0 { "nothing of it was taken".to_owned() } else { taken_before(counts) };
            let message = format!("{}: {error}; {before}", path.display());
            Failure { field: "path".to_owned(), ..Failure::conflict(message) }
        }
    }
}

fn taken_before(counts: &v1::ImportBundlesResponse) -> String {
    let v1::ImportBundlesResponse { taken, known, refused } = counts;
    format!("of what was before, {taken} bundles were taken, {known} were known, {refused} refused")
}

fn ask<R: Message + Default>(
    custody: &impl Custody,
    method: Method,
    request: &impl Message,
) -> Result<R, Failure> {
    let answer = custody.call(method, request.encode_to_vec().into())?;
    R::decode(answer).map_err(|_| Failure::internal())
}

fn refused(path: &Path, error: &std::io::Error) -> Failure {
    let message = format!("{}: {error}", path.display());
    match error.kind() {
        ErrorKind::NotFound => Failure::not_found(message),
        ErrorKind::PermissionDenied => Failure::forbidden(message),
        _ => Failure::conflict(message),
    }
}

const CHUNK_BYTES: usize = 65_536;
/// Bundles given to the engine at once, at most 2 MiB of them.
const PAGE_BUNDLES: usize = 32;
const _: () = assert!(PAGE_BUNDLES <= TAKEN_BUNDLES_MAX);

#[cfg(test)]
mod tests;
