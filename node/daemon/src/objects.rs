//! The relay's object store: blobs as files beside the database.
//!
//! ```text
//! blobs/uploads/<id>     grows piece by piece
//! blobs/objects/<name>   whole, its hash checked; the name tells the hash to nobody but this node
//! ```
//!
//! What lies in them is ciphertext that clients made. One thread does one job after the other, so that those of one
//! upload or object keep their order, and reports a job when it is on disk: the piece by a sync of its file, a name that
//! comes or goes by a sync of its directory.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use qpq_crypto::digest::{ContentHash, sha256};
use qpq_relay::{BlobHash, BlobJob, BlobResult, JobId, UploadId};

use crate::private_file::{self, PrivateFileError};

/// Gives jobs to the store, which begins with the first: a node that keeps no blobs has neither directory nor thread.
pub(crate) struct Objects {
    folder: Folder,
    done: Report,
    jobs: Option<Sender<(JobId, BlobJob)>>,
}

/// What is told of a job that is done.
pub(crate) type Report = Arc<dyn Fn(JobId, BlobResult) + Send + Sync>;

/// Where the files are.
#[derive(Clone)]
pub(crate) struct Folder {
    uploads: PathBuf,
    objects: PathBuf,
    /// Hides the hashes in the names.
    name_key: [u8; 32],
}

impl std::fmt::Debug for Folder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Folder").field("objects", &self.objects).finish_non_exhaustive()
    }
}

impl Objects {
    /// A store in a folder. Each job that is done is reported, from a thread of the store's own, which ends with
    /// whoever gives the jobs.
    pub(crate) fn new(folder: Folder, done: Report) -> Self {
        Self { folder, done, jobs: None }
    }

    /// Gives a job.
    pub(crate) fn give(&mut self, id: JobId, job: BlobJob) {
        let jobs = match self.jobs.take() {
            Some(jobs) => jobs,
            None => match self.open() {
                Ok(jobs) => jobs,
                Err(error) => {
                    tracing::error!("the relay's object store cannot be opened: {error}");
                    return (self.done)(id, BlobResult::Failed);
                }
            },
        };
        match jobs.send((id, job)) {
            Ok(()) => self.jobs = Some(jobs),
            // Its thread has panicked; the next job begins another.
            Err(_) => (self.done)(id, BlobResult::Failed),
        }
    }

    fn open(&self) -> Result<Sender<(JobId, BlobJob)>, ObjectsError> {
        let folder = self.folder.clone();
        folder.make()?;
        let (jobs, waiting) = channel();
        let done = Arc::clone(&self.done);
        let body = move || work(&folder, &waiting, done);
        thread::Builder::new().name("objects".to_owned()).spawn(body).map_err(ObjectsError::Thread)?;
        Ok(jobs)
    }
}

/// The store cannot be opened.
#[derive(Debug, thiserror::Error)]
enum ObjectsError {
    /// A directory cannot be made.
    #[error(transparent)]
    Directory(#[from] PrivateFileError),
    /// No thread.
    #[error("no thread can be started: {0}")]
    Thread(io::Error),
}

fn work(folder: &Folder, waiting: &Receiver<(JobId, BlobJob)>, done: Report) {
    while let Ok((id, job)) = waiting.recv() {
        let result = folder.carry_out(job).unwrap_or_else(|error| {
            tracing::error!("the relay's object store failed: {error}");
            BlobResult::Failed
        });
        done(id, result);
    }
}

impl Folder {
    /// In a data directory. Nothing is made yet.
    pub(crate) fn new(data_dir: &Path, node_secret: &[u8; 32]) -> Self {
        let blobs = data_dir.join("blobs");
        let name_key = sha256(&[b"qpq names of blobs", node_secret]);
        Self { uploads: blobs.join("uploads"), objects: blobs.join("objects"), name_key }
    }

    /// Makes the directories.
    pub(crate) fn make(&self) -> Result<(), PrivateFileError> {
        for directory in [private_file::parent(&self.uploads), &self.uploads, &self.objects] {
            private_file::make_private_directory(directory)?;
        }
        Ok(())
    }

    /// The file of a blob; none if it was removed.
    pub(crate) fn open(&self, hash: BlobHash) -> io::Result<Option<File>> {
        match File::open(self.objects.join(self.object_name(hash))) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Carries out a job, on the thread of the caller.
    pub(crate) fn carry_out(&self, job: BlobJob) -> io::Result<BlobResult> {
        match job {
            BlobJob::Append { upload, offset, chunk } => self.append(upload, offset, &chunk),
            BlobJob::Finish { upload, hash, total_bytes } => self.finish(upload, hash, total_bytes),
            BlobJob::Read { hash, offset, length } => self.read(hash, offset, length),
            BlobJob::Discard { upload } => remove(&self.uploads, &upload_name(upload)),
            BlobJob::Delete { hash } => remove(&self.objects, &self.object_name(hash)),
        }
    }

    fn append(&self, upload: UploadId, offset: u64, chunk: &[u8]) -> io::Result<BlobResult> {
        let path = self.uploads.join(upload_name(upload));
        let is_new = !path.try_exists()?;
        if is_new && offset > 0 {
            return Ok(BlobResult::Failed);
        }
        if !is_new && std::fs::metadata(&path)?.nlink() > 1 {
            // It became an object, of which the relay does not know since it was killed: what is written now must not
            // change what was checked then.
            self.part(&path)?;
        }
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        if offset > file.metadata()?.len() {
            return Ok(BlobResult::Failed);
        }
        file.set_len(offset)?;
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(chunk)?;
        file.sync_data()?;
        if is_new {
            sync_directory(&self.uploads)?;
        }
        Ok(BlobResult::Done)
    }

    /// Gives an upload bytes of its own.
    fn part(&self, path: &Path) -> io::Result<()> {
        let copy = path.with_extension("copy");
        std::fs::copy(path, &copy)?;
        File::open(&copy)?.sync_all()?;
        std::fs::rename(&copy, path)?;
        sync_directory(&self.uploads)
    }

    fn finish(&self, upload: UploadId, hash: BlobHash, total_bytes: u64) -> io::Result<BlobResult> {
        let object = self.objects.join(self.object_name(hash));
        if object.try_exists()? {
            return Ok(BlobResult::Done);
        }
        let path = self.uploads.join(upload_name(upload));
        let mut file = File::open(&path)?;
        if file.metadata()?.len() != total_bytes || content_hash(&mut file)? != hash.0 {
            return Ok(BlobResult::Mismatch);
        }
        // The upload stays until it is discarded.
        std::fs::hard_link(&path, &object)?;
        sync_directory(&self.objects)?;
        Ok(BlobResult::Done)
    }

    fn read(&self, hash: BlobHash, offset: u64, length: usize) -> io::Result<BlobResult> {
        let file = File::open(self.objects.join(self.object_name(hash)))?;
        let mut stretch = vec![0; length];
        file.read_exact_at(&mut stretch, offset)?;
        Ok(BlobResult::Read(Bytes::from(stretch)))
    }

    fn object_name(&self, hash: BlobHash) -> String {
        HEXLOWER.encode(&sha256(&[&self.name_key, &hash.0]))
    }
}

fn upload_name(upload: UploadId) -> String {
    HEXLOWER.encode(&upload.0)
}

fn content_hash(file: &mut File) -> io::Result<[u8; 32]> {
    let mut hash = ContentHash::default();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hash.finish()),
            length => hash.update(&piece[..length]),
        }
    }
}

fn remove(directory: &Path, name: &str) -> io::Result<BlobResult> {
    match std::fs::remove_file(directory.join(name)) {
        Ok(()) => sync_directory(directory)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(BlobResult::Done)
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

const PIECE_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests;
