//! Open files of a disk in memory.

use std::fmt;
use std::io;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::{BackendError, StorageBackend};

use super::state::{Change, State};
use super::{DATABASE, Disk};

/// A file of a [`Disk`], open.
pub(super) struct DiskFile {
    disk: Disk,
    name: &'static str,
    cycle: u64,
    holds_lock: Mutex<bool>,
}

impl DiskFile {
    /// Opens a file, or makes it.
    pub(super) fn open(disk: &Disk, name: &'static str) -> Self {
        let mut state = disk.state();
        state.files.entry(name).or_default();
        Self { disk: disk.clone(), name, cycle: state.cycle, holds_lock: Mutex::new(false) }
    }

    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.state();
        if state.cycle != self.cycle {
            return Err(io::Error::other("this file died with the power or its process"));
        }
        Ok(state)
    }

    /// As soon as the thread may go on that changes the file.
    fn unheld_state(&self) -> io::Result<MutexGuard<'_, State>> {
        if self.name == DATABASE {
            self.disk.stop_if_held();
        }
        self.state()
    }

    fn unlock(&self) -> io::Result<()> {
        let mut state = self.state()?;
        let mut holds_lock = self.holds_lock.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut *holds_lock)
            && let Some(file) = state.files.get_mut(self.name)
        {
            file.is_locked = false;
        }
        Ok(())
    }
}

impl fmt::Debug for DiskFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskFile").field("name", &self.name).finish_non_exhaustive()
    }
}

impl StorageBackend for DiskFile {
    fn len(&self) -> io::Result<u64> {
        let state = self.state()?;
        state.check_power()?;
        Ok(state.files.get(self.name).map_or(0, |file| file.live.len()) as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state()?;
        state.check_power()?;
        let file = state.files.get(self.name).ok_or(io::ErrorKind::NotFound)?;
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let end = offset.checked_add(out.len()).ok_or(io::ErrorKind::InvalidInput)?;
        out.copy_from_slice(file.live.get(offset..end).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let length = usize::try_from(len).map_err(io::Error::other)?;
        self.unheld_state()?.change(self.name, Change::Length(length))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.unheld_state()?.sync(self.name)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        self.unheld_state()?.change(self.name, Change::Write { offset, data: data.to_vec() })
    }

    fn close(&self) -> io::Result<()> {
        self.unlock()
    }

    // Only the whole file can be locked, which is what a single writer needs.
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        if !matches!((start, end), (Bound::Unbounded | Bound::Included(0), Bound::Unbounded)) {
            return Err(BackendError::Unsupported);
        }
        let mut state = self.state()?;
        let file = state.files.entry(self.name).or_default();
        if file.is_locked {
            return Ok(false);
        }
        file.is_locked = true;
        *self.holds_lock.lock().unwrap_or_else(PoisonError::into_inner) = true;
        Ok(true)
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(self.unlock()?)
    }
}
