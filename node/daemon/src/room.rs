//! Whether the disk has room for what others want kept.
//!
//! A node that cannot write has to stop. So what it keeps for others is bounded by what is free, too: while less than the
//! reserve is, the relay takes nothing more.

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
}

impl Room {
    /// Watches the disk of a directory, on which so many bytes shall stay free.
    pub(crate) fn new(directory: PathBuf, reserve_bytes: u64) -> Self {
        Self { directory, reserve_bytes, has_room: true, next_look_ms: 0, written_then: 0 }
    }

    /// Whether there is room, as far as is known after so many bytes were written in all.
    pub(crate) fn look(&mut self, written_bytes: u64, uptime_ms: u64) -> bool {
        self.look_by(written_bytes, uptime_ms, |room| room.free_bytes())
    }

    fn look_by(
        &mut self,
        written_bytes: u64,
        uptime_ms: u64,
        measure: impl FnOnce(&Self) -> io::Result<u64>,
    ) -> bool {
        let written_since = written_bytes.saturating_sub(self.written_then);
        if uptime_ms < self.next_look_ms && written_since < self.reserve_bytes / LOOKS_IN_THE_RESERVE {
            return self.has_room;
        }
        self.next_look_ms = uptime_ms + LOOK_INTERVAL_MS;
        self.written_then = written_bytes;
        match measure(self) {
            Ok(free_bytes) => self.note(free_bytes),
            Err(error) => tracing::debug!(%error, "nobody knows how much of the disk is free"),
        }
        self.has_room
    }

    fn note(&mut self, free_bytes: u64) {
        // Room that is only just there again would be gone at once.
        let wanted = if self.has_room { self.reserve_bytes } else { self.reserve_bytes / 4 * 5 };
        let has_room = free_bytes >= wanted;
        match (self.has_room, has_room) {
            (true, false) => {
                tracing::warn!(free_bytes, "the disk is nearly full: nothing is kept for others")
            }
            (false, true) => tracing::info!(free_bytes, "the disk has room again"),
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
/// It is looked at so often while as much is written as the reserve.
const LOOKS_IN_THE_RESERVE: u64 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const RESERVE: u64 = 1_600;

    #[test]
    fn it_is_there_until_the_reserve_is_touched_and_again_when_there_is_more_than_that() {
        let mut room = Room::new("/".into(), RESERVE);
        let mut uptime_ms = 0;
        for (free_bytes, expected) in [
            (RESERVE, true),
            (RESERVE - 1, false),
            (RESERVE, false),
            (RESERVE / 4 * 5, true),
            (RESERVE, true),
            (0, false),
        ] {
            uptime_ms += LOOK_INTERVAL_MS;
            assert_eq!(room.look_by(0, uptime_ms, |_| Ok(free_bytes)), expected, "{free_bytes} are free");
        }
        uptime_ms += LOOK_INTERVAL_MS;
        assert!(!room.look_by(0, uptime_ms, |_| Err(io::ErrorKind::PermissionDenied.into())), "as before");
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
            room.look_by(written_bytes, uptime_ms, |_| {
                looks += 1;
                Ok(u64::MAX)
            });
            assert_eq!(looks, expected, "{written_bytes} bytes, {uptime_ms} ms");
        }
    }

    #[test]
    fn the_disk_under_a_directory_is_measured() {
        let mut room = Room::new(std::env::temp_dir(), 1);
        assert!(room.look(0, 0));
        let mut all = Room::new(std::env::temp_dir(), u64::MAX);
        assert!(!all.look(0, 0));
    }
}
