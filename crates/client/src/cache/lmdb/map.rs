//! The two calls that map a file into memory: the one place of Mainstay with unsafe code.
//!
//! Separate so that the reasons why they are sound stand beside them, and nothing else has to be looked
//! at for it. LMDB reads what it maps as if it were its own memory; that is sound as long as the file is a
//! sound one, nobody but LMDB changes it while it is mapped, and no transaction is open while the map moves.
#![expect(unsafe_code, reason = "mapping a file cannot be done without")]

use std::path::Path;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use heed::{Env, EnvOpenOptions, WithTls};

/// How many threads of all processes may be reading at a time; each costs 64 bytes of the lock file.
const READERS: u32 = 2048;

/// The tables, and one to spare.
const TABLES: u32 = 8;

/// The unit of map sizes: a multiple of the page size of every machine.
const UNIT: usize = 1 << 20;

/// A mapped folder, which moves only while no transaction is open.
#[derive(Debug)]
pub(super) struct Map {
    env: Env<WithTls>,
    /// Held shared by every transaction, exclusively while the map moves.
    gate: RwLock<()>,
}

/// Keeps the map where it is.
pub(super) type Still<'m> = RwLockReadGuard<'m, ()>;

impl Map {
    /// Maps a folder whose file has been looked at.
    pub(super) fn open(checked: &super::home::Checked, bytes: u64) -> heed::Result<Self> {
        let mut options = EnvOpenOptions::new();
        options.map_size(rounded(bytes)).max_readers(READERS).max_dbs(TABLES);
        let folder: &Path = checked.folder();
        // SAFETY: `checked` says that the file, if there is one, is one that LMDB wrote and is as long
        // as it says, by its pages or as it is the file that LMDB closed, and that it and the lock file lie in a folder that this user alone changes. While the
        // file is mapped only LMDB writes to it, here and in other processes, each under its locks; Mainstay
        // itself moves a damaged file only while it holds the folder's lock exclusively. The flags that
        // would weaken LMDB's own locking or ordering are not set.
        let env = unsafe { options.open(folder)? };
        Ok(Self { env, gate: RwLock::new(()) })
    }

    /// The environment, for one transaction at a time and thread: it is held still until the guard is gone.
    pub(super) fn hold(&self) -> (&Env<WithTls>, Still<'_>) {
        (&self.env, self.gate.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes the map at least so large, or as large as another process has made it.
    pub(super) fn grow(&self, bytes: u64) -> heed::Result<()> {
        let _still = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        let bytes = rounded(bytes.max(self.size()));
        // SAFETY: no transaction of this process is open, since each holds the gate that is held
        // exclusively here, and other processes have maps of their own.
        unsafe { self.env.resize(bytes) }
    }

    /// The number of the last commit, of whichever process.
    pub(super) fn last_commit(&self) -> u64 {
        let (env, _still) = self.hold();
        env.info().last_txn_id as u64
    }

    /// How large the map is.
    pub(super) fn size(&self) -> u64 {
        self.env.info().map_size as u64
    }
}

fn rounded(bytes: u64) -> usize {
    // Half of the address space is the system's.
    let most = isize::MAX as usize / UNIT * UNIT;
    let bytes = usize::try_from(bytes).unwrap_or(most);
    bytes.checked_next_multiple_of(UNIT).unwrap_or(most).clamp(UNIT, most)
}
