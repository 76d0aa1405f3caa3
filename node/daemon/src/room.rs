//! Whether the disk has room for what others want kept.
//!
//! A node that cannot write has to stop. So what it keeps for others is bounded by what is free, too: while less than the
//! reserve is, the relay takes nothing more.
//!
//! A database does not give back to the file system what becomes free inside of it, but uses it again. What the relay has
//! let go of since the disk was full counts as free, therefore.

use std::io;
use std::path::PathBuf;

/// Watches the disk of a directory.
#[derive(Debug)]
pub(crate) struct Room {
    directory: PathBuf,
    reserve_bytes: u64,
    has_room: bool,
    /// When it is looked at next, ms of uptime, however little was written.
    next_look_ms: u64,
    /// Bytes that had been written when it was looked at last.
    written_then: u64,
    /// Bytes that were kept for others when the room ended.
    kept_when_full: Option<i64>,
}

/// What the disk is used for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Bytes that were written in all.
    pub(crate) written_bytes: u64,
    /// Bytes by which what is kept for others has grown; negative if it has shrunk.
    pub(crate) kept_bytes: i64,
}

impl Room {
    /// Watches the disk of a directory, on which so many bytes shall stay free.
    pub(crate) fn new(directory: PathBuf, reserve_bytes: u64) -> Self {
        Self {
            directory,
            reserve_bytes,
            has_room: true,
            next_look_ms: 0,
            written_then: 0,
            kept_when_full: None,
        }
    }

    /// Whether there is room, as far as is known.
    pub(crate) fn look(&mut self, usage: Usage, uptime_ms: u64) -> bool {
        self.look_by(usage, uptime_ms, |room| room.free_bytes())
    }

    fn look_by(
        &mut self,
        usage: Usage,
        uptime_ms: u64,
        measure: impl FnOnce(&Self) -> io::Result<u64>,
    ) -> bool {
        let Usage { written_bytes, kept_bytes } = usage;
        let written_since = written_bytes.saturating_sub(self.written_then);
        if uptime_ms < self.next_look_ms && written_since < self.reserve_bytes / RESERVE_PARTS {
            return self.has_room;
        }
        self.next_look_ms = uptime_ms + LOOK_INTERVAL_MS;
        self.written_then = written_bytes;
        match measure(self) {
            Ok(free_bytes) => self.note(free_bytes, kept_bytes),
            Err(error) => tracing::debug!(%error, "nobody knows how much of the disk is free"),
        }
        self.has_room
    }

    fn note(&mut self, free_bytes: u64, kept_bytes: i64) {
        // Room that is only just there again would be gone at once.
        let more = if self.has_room { 0 } else { self.reserve_bytes / RESERVE_PARTS };
        let wanted = self.reserve_bytes + more;
        if free_bytes >= wanted {
            self.kept_when_full = None;
        }
        let let_go = self.kept_when_full.map_or(0, |then| then.saturating_sub(kept_bytes));
        let has_room = free_bytes.saturating_add_signed(let_go.max(0)) >= wanted;
        match (self.has_room, has_room) {
            (true, false) => {
                tracing::warn!(free_bytes, "the disk is nearly full: nothing is kept for others");
                self.kept_when_full.get_or_insert(kept_bytes);
            }
            (false, true) => tracing::info!(free_bytes, let_go, "there is room for others again"),
            _ => {}
        }
        self.has_room = has_room;
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(&self.directory)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
}

const LOOK_INTERVAL_MS: u64 = 1_000;
/// One of so many parts of the reserve: after it is written, the disk is looked at again; and by it, more than the reserve
/// must be free before there is room again.
const RESERVE_PARTS: u64 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const RESERVE: u64 = 1_600;

    /// What is thought of the room each second, as so many bytes are free, and so many kept for others.
    fn thought(seconds: &[(u64, i64)]) -> Vec<bool> {
        let mut room = Room::new("/".into(), RESERVE);
        let looks = (0..).map(|second| second * LOOK_INTERVAL_MS).zip(seconds);
        let look = |(uptime_ms, (free_bytes, kept_bytes)): (u64, &(u64, i64))| {
            let usage = Usage { written_bytes: 0, kept_bytes: *kept_bytes };
            room.look_by(usage, uptime_ms, |_| Ok(*free_bytes))
        };
        looks.map(look).collect()
    }

    #[test]
    fn it_is_there_until_the_reserve_is_touched_and_again_when_there_is_more_than_that() {
        let free = [RESERVE, RESERVE - 1, RESERVE, RESERVE + 100, RESERVE, 0].map(|free| (free, 0));
        assert_eq!(thought(&free), [true, false, false, true, true, false]);
    }

    #[test]
    fn what_was_let_go_of_since_is_free_inside_the_database() {
        let free = RESERVE - 100;
        let kept = [5_000, 4_900, 4_800, 4_850, 4_900, 5_000, 4_000];
        let seconds = kept.map(|kept| (free, kept));
        assert_eq!(thought(&seconds), [false, false, true, true, true, false, true]);
        let other_files_removed = [(0, 5_000), (2 * RESERVE, 5_000), (RESERVE - 1, 4_000)];
        assert_eq!(thought(&other_files_removed), [false, true, false], "it is full anew");
    }

    #[test]
    fn it_is_looked_at_now_and_then_and_when_much_was_written() {
        let mut room = Room::new("/".into(), RESERVE);
        let mut looks = 0;
        for (written_bytes, uptime_ms, expected) in [
            (0, 0, 1),
            (99, 1, 1),
            (100, 2, 2),
            (150, 3, 2),
            (150, 1_001, 2),
            (150, 1_002, 3),
            (250, 1_003, 4),
        ] {
            room.look_by(Usage { written_bytes, kept_bytes: 0 }, uptime_ms, |_| {
                looks += 1;
                Ok(u64::MAX)
            });
            assert_eq!(looks, expected, "{written_bytes} bytes, {uptime_ms} ms");
        }
    }

    #[test]
    fn a_disk_that_cannot_be_measured_is_as_it_was() {
        let mut room = Room::new("/".into(), RESERVE);
        assert!(room.look_by(Usage::default(), 0, |_| Err(io::ErrorKind::PermissionDenied.into())));
        assert!(!room.look_by(Usage::default(), LOOK_INTERVAL_MS, |_| Ok(0)));
        assert!(!room.look_by(Usage::default(), 2 * LOOK_INTERVAL_MS, |_| Err(io::ErrorKind::Other.into())));
    }

    #[test]
    fn the_disk_under_a_directory_is_measured() {
        assert!(Room::new(std::env::temp_dir(), 1).look(Usage::default(), 0));
        assert!(!Room::new(std::env::temp_dir(), u64::MAX).look(Usage::default(), 0));
    }
}
