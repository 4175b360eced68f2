//! Files that are their owner's alone: refused where they are not.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

pub(crate) use system::{is_same, refuse};

/// What lies at this path, unless it is refused. It is not opened for that: a process that closes a
/// file loses its POSIX locks on it, those of its own SQLite among them.
pub(crate) fn find(path: &Path) -> io::Result<Option<Metadata>> {
    match path.symlink_metadata() {
        Ok(found) if found.is_symlink() => Err(refused(
            "this is a symbolic link, and those who use the file by its own name would not take \
             turns with those who use it by this one: name the file itself",
        )),
        Ok(found) => refuse(&found).map(|()| Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Waits until the disk has what was made, renamed or deleted in this directory.
pub(crate) fn sync(directory: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

/// The same error, with the file that it is about.
pub(crate) fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn refused(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

#[cfg(unix)]
mod system {
    use std::fs::Metadata;
    use std::io;
    use std::os::unix::fs::MetadataExt;

    use rustix::process::geteuid;

    use super::refused;

    pub(crate) fn refuse(metadata: &Metadata) -> io::Result<()> {
        if !metadata.is_file() {
            return Err(refused("this is no regular file: name another"));
        }
        if metadata.uid() != geteuid().as_raw() {
            return Err(refused(
                "this file belongs to another user than the one who runs this program: run it as \
                 that user, or name another file",
            ));
        }
        if metadata.mode() & 0o077 != 0 {
            return Err(refused(
                "others may read or change this file, so its logins are not used: delete the \
                 file, or, if you know who could read it, make it your own with chmod 600",
            ));
        }
        Ok(())
    }

    pub(crate) fn is_same(one: &Metadata, other: &Metadata) -> bool {
        (one.dev(), one.ino()) == (other.dev(), other.ino())
    }
}

/// On other systems a file has the permissions of its directory, and no number.
#[cfg(not(unix))]
mod system {
    use std::fs::Metadata;
    use std::io;

    use super::refused;

    pub(crate) fn refuse(metadata: &Metadata) -> io::Result<()> {
        if metadata.is_file() {
            Ok(())
        } else {
            Err(refused("this is no regular file: name another"))
        }
    }

    pub(crate) fn is_same(one: &Metadata, other: &Metadata) -> bool {
        one.is_file() && other.is_file()
    }
}
