//! How a file is opened, so that what was checked is what is used.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use crate::private;

/// Opens a file that this user owns and that nobody else can read or write; makes it so where
/// `options` make one.
pub(super) fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    // It says what to do about a link.
    private::find(path)?;
    let file = private(options).open(path)?;
    private::refuse(&file.metadata()?)?;
    Ok(file)
}

/// Follows no link that has appeared since, and does not wait for the other end of a pipe.
#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;

    use rustix::fs::OFlags;

    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.mode(0o600).custom_flags(flags.bits().cast_signed())
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}
