use super::*;

const UPLOAD: UploadId = UploadId([7; 16]);
const SECRET: [u8; 32] = [9; 32];

/// A store whose jobs are waited for.
struct Stage {
    directory: tempfile::TempDir,
    objects: Objects,
    done: Receiver<(JobId, BlobResult)>,
}

impl Stage {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (objects, done) = open(directory.path());
        Self { directory, objects, done }
    }

    fn reopen(&mut self) {
        (self.objects, self.done) = open(self.directory.path());
    }

    fn carry_out(&mut self, job: BlobJob) -> BlobResult {
        self.objects.give(JobId(1), job);
        self.done.recv().unwrap().1
    }

    fn append(&mut self, offset: u64, chunk: &'static [u8]) -> BlobResult {
        self.carry_out(BlobJob::Append { upload: UPLOAD, offset, chunk: Bytes::from_static(chunk) })
    }

    fn finish(&mut self, content: &[u8], total_bytes: u64) -> BlobResult {
        self.carry_out(BlobJob::Finish { upload: UPLOAD, hash: hash_of(content), total_bytes })
    }

    fn read(&mut self, content: &[u8], offset: u64, length: usize) -> BlobResult {
        self.carry_out(BlobJob::Read { hash: hash_of(content), offset, length })
    }
}

fn open(directory: &Path) -> (Objects, Receiver<(JobId, BlobResult)>) {
    let (sender, done) = channel();
    let report: Report = Arc::new(move |id, result| sender.send((id, result)).unwrap());
    (Objects::new(Folder::new(directory, &SECRET), report), done)
}

fn hash_of(content: &[u8]) -> BlobHash {
    let mut hash = ContentHash::default();
    hash.update(content);
    BlobHash(hash.finish())
}

#[test]
fn an_upload_grows_and_becomes_an_object_when_its_hash_is_right() {
    let mut stage = Stage::new();
    assert_eq!(stage.append(0, b"hello, "), BlobResult::Done);
    assert_eq!(stage.append(7, b"universe"), BlobResult::Done);
    assert_eq!(stage.finish(b"hello, world", 12), BlobResult::Mismatch, "it is longer");
    stage.reopen();
    assert_eq!(stage.append(7, b"world"), BlobResult::Done, "what is behind the offset is replaced");
    assert_eq!(stage.finish(b"hello, earth", 12), BlobResult::Mismatch);
    assert_eq!(stage.read(b"hello, world", 0, 12), BlobResult::Failed, "not checked, not readable");
    assert_eq!(stage.finish(b"hello, world", 12), BlobResult::Done);
    assert_eq!(stage.finish(b"hello, world", 12), BlobResult::Done, "there is one already");
    stage.reopen();
    assert_eq!(stage.read(b"hello, world", 7, 5), BlobResult::Read(Bytes::from_static(b"world")));
    assert_eq!(stage.read(b"hello, world", 7, 6), BlobResult::Failed, "beyond its end");
}

#[test]
fn a_gap_is_refused_and_what_is_not_there_is_gone_already() {
    let mut stage = Stage::new();
    assert_eq!(stage.append(5, b"late"), BlobResult::Failed);
    assert_eq!(stage.carry_out(BlobJob::Discard { upload: UploadId([1; 16]) }), BlobResult::Done);
    assert_eq!(stage.carry_out(BlobJob::Delete { hash: hash_of(b"none") }), BlobResult::Done);
    assert_eq!(stage.finish(b"", 0), BlobResult::Failed);
}

#[test]
fn what_was_checked_stays_what_it_is_when_the_upload_goes_on() {
    let mut stage = Stage::new();
    stage.append(0, b"content");
    stage.finish(b"content", 7);
    assert_eq!(stage.append(3, b"GARBAGE"), BlobResult::Done, "of a relay that forgot the end of the upload");
    assert_eq!(stage.read(b"content", 0, 7), BlobResult::Read(Bytes::from_static(b"content")));
    assert_eq!(stage.finish(b"conGARBAGE", 10), BlobResult::Done);
}

#[test]
fn an_object_outlives_its_upload_and_goes_when_it_is_deleted() {
    let mut stage = Stage::new();
    stage.append(0, b"content");
    stage.finish(b"content", 7);
    assert_eq!(stage.carry_out(BlobJob::Discard { upload: UPLOAD }), BlobResult::Done);
    assert_eq!(stage.read(b"content", 0, 7), BlobResult::Read(Bytes::from_static(b"content")));
    assert_eq!(stage.carry_out(BlobJob::Delete { hash: hash_of(b"content") }), BlobResult::Done);
    assert_eq!(stage.read(b"content", 0, 7), BlobResult::Failed);
}

#[test]
fn names_tell_the_hash_to_nobody() {
    let mut stage = Stage::new();
    stage.append(0, b"content");
    stage.finish(b"content", 7);
    let objects = stage.directory.path().join("blobs/objects");
    let names: Vec<_> = std::fs::read_dir(objects).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 1);
    assert_ne!(names[0].to_str().unwrap(), HEXLOWER.encode(&hash_of(b"content").0));
}
