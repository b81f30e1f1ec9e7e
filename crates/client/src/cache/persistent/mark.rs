//! The mark beside a file that was closed as it should be: the next opening need not read the whole file.
//!
//! Separate because no engine knows it. The mark says which file was closed: its number, length, times of change
//! and head. It is written once the engine has closed the file, and removed, for good, before an engine opens it again,
//! both while the cache is locked; so a killed process leaves none, and a file that was changed, copied or put back from
//! a copy has another. A mark of which a part was lost is no mark. Bits that rot on the disk it cannot tell.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::files::Home;

/// What the name of the mark ends with.
const SUFFIX: &str = ".closed";
/// More than any mark has.
const LONGEST: u64 = 8192;

/// The mark of the file of this name.
#[derive(Debug)]
pub(crate) struct Mark<'a>(&'a Path);

impl<'a> Mark<'a> {
    pub(crate) fn of(path: &'a Path) -> Self {
        Self(path)
    }

    /// Takes the mark away, if there is one, and says whether it was of this file as it is.
    ///
    /// `head` is what an engine changes with each commit. A mark that cannot be removed for good is an error: it would
    /// still be there after a kill.
    pub(crate) fn take(&self, file: &File, head: Option<&[u8]>) -> io::Result<bool> {
        let place = self.place();
        let mut found = String::new();
        match File::open(&place) {
            Ok(mark) => mark.take(LONGEST).read_to_string(&mut found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => Err(error),
        }
        .unwrap_or_default();
        fs::remove_file(&place)?;
        Home::sync_folder(self.0)?;
        let Some(head) = head else { return Ok(false) };
        Ok(Home::is_at(file, self.0)? && description(file, head)? == found)
    }

    /// Marks a file that its engine has closed.
    pub(crate) fn put(&self, file: &File, head: &[u8]) -> io::Result<()> {
        let description = description(file, head)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(self.place())?.write_all(description.as_bytes())
    }

    pub(crate) fn place(&self) -> PathBuf {
        let mut name: OsString = self.0.into();
        name.push(SUFFIX);
        name.into()
    }
}

/// What tells this file, as it is, from any other.
fn description(file: &File, head: &[u8]) -> io::Result<String> {
    let about = file.metadata()?;
    #[cfg(unix)]
    let number = {
        use std::os::unix::fs::MetadataExt as _;
        (about.dev(), about.ino(), about.ctime(), about.ctime_nsec())
    };
    #[cfg(not(unix))]
    let number = ();
    let told = format!("closed 1\n{:?} {number:?} {:?}\n", about.len(), about.modified()?);
    Ok(format!("{told}{head:02x?}\nend\n"))
}
