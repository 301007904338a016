//! Files: what can be told of them, their bytes up to a bound, files that are written at their end, and those that are
//! put in place whole.
//!
//! It is the one user of `std::fs` besides [`process`](crate::platform::process), which reads `/proc`. No call waits
//! for the other side of a named pipe.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{Access, OFlags, access};

use crate::platform::loops;

/// Which file it is: its device and its inode.
pub type FileId = (u64, u64);

/// A time stamp of a file: seconds and nanoseconds since 1970.
pub type TimeStamp = (i64, i64);

/// What can be told of a file without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileInfo {
    /// Which file it is.
    pub id: FileId,
    /// What it is.
    pub kind: FileKind,
    /// Bytes that it holds.
    pub length: u64,
    /// Its permissions, the lowest twelve bits of the mode.
    pub permissions: u32,
    /// When the content was changed last. A writer can set it.
    pub modified: TimeStamp,
    /// When content, name or permissions were changed last. A writer cannot set it.
    pub changed: TimeStamp,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, where it is not followed.
    Link,
    /// A named pipe, a socket or a device.
    Other,
}

impl FileKind {
    fn of(kind: fs::FileType) -> FileKind {
        match kind {
            kind if kind.is_dir() => FileKind::Directory,
            kind if kind.is_file() => FileKind::File,
            kind if kind.is_symlink() => FileKind::Link,
            _ => FileKind::Other,
        }
    }
}

impl FileInfo {
    /// Whether the mode lets every user read or write. Its group may: an orchestrator mounts secrets so.
    pub fn is_open_to_others(&self) -> bool {
        const READ_OR_WRITE: u32 = 0o006;
        self.permissions & READ_OR_WRITE != 0
    }

    fn of(metadata: &fs::Metadata) -> FileInfo {
        FileInfo {
            id: (metadata.dev(), metadata.ino()),
            kind: FileKind::of(metadata.file_type()),
            length: metadata.len(),
            permissions: metadata.mode() & 0o7777,
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// What stands at a path; links are followed.
///
/// # Errors
/// What the operating system says.
pub fn info(path: &Path) -> io::Result<FileInfo> {
    fs::metadata(path).map(|metadata| FileInfo::of(&metadata))
}

/// As [`info`], but a link at the path is told itself.
///
/// # Errors
/// What the operating system says.
pub fn link_info(path: &Path) -> io::Result<FileInfo> {
    fs::symlink_metadata(path).map(|metadata| FileInfo::of(&metadata))
}

/// Whether this process may run a file.
pub fn is_executable(path: &Path) -> bool {
    access(path, Access::EXEC_OK).is_ok()
}

/// Which file a descriptor writes to.
///
/// # Errors
/// What the operating system says.
pub fn id_of(descriptor: impl AsFd) -> io::Result<FileId> {
    let file = fs::File::from(descriptor.as_fd().try_clone_to_owned()?);
    file.metadata().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// The entries of a directory in no order: names, and what they are without following links.
///
/// # Errors
/// The directory cannot be read.
pub fn entries(directory: &Path) -> io::Result<Vec<(OsString, FileKind)>> {
    loops::may_wait("for a file");
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type().map_or(FileKind::Other, FileKind::of);
        entries.push((entry.file_name(), kind));
    }
    Ok(entries)
}

/// A path without links where there is such a file; else as it is.
pub fn canonical(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// A moment that a time stamp tells; none where it is before 1970.
pub fn time_of((seconds, nanoseconds): TimeStamp) -> Option<SystemTime> {
    let since = Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanoseconds).ok()?);
    UNIX_EPOCH.checked_add(since)
}

/// The bytes of a regular file, `most` of them and one more at most: with one more, the file is longer.
///
/// # Errors
/// The file cannot be read, or is not a regular one ([`io::ErrorKind::InvalidInput`]).
pub fn read_at_most(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    loops::may_wait("for a file");
    // What a name stands for can change at any moment, so it is opened without waiting, and looked at when it is open.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // Room for all of it from the start: a vector that grows leaves copies behind, and a file may hold secrets.
    let length = usize::try_from(metadata.len().min(most)).unwrap_or_default();
    let mut bytes = Vec::with_capacity(length + 1);
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Opens a file to write at its end, and makes it where there is none; tells which file it is.
///
/// # Errors
/// What the operating system says.
pub fn append_to(path: &Path) -> io::Result<(Box<dyn Write + Send>, FileId)> {
    loops::may_wait("for a file");
    // Once a named pipe is open, it is written as any file.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .custom_flags(flags)
        .open(path)?;
    let flags = rustix::fs::fcntl_getfl(&file)?;
    rustix::fs::fcntl_setfl(&file, flags.difference(OFlags::NONBLOCK))?;
    let metadata = file.metadata()?;
    Ok((Box::new(file), (metadata.dev(), metadata.ino())))
}

/// Writes a whole file, so that no reader sees a part of it: a file beside it takes its place. Directories are made.
///
/// # Errors
/// What the operating system says; the file is as it was.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    loops::may_wait("for a file");
    let directory = path.parent().unwrap_or_else(|| Path::new(""));
    fs::create_dir_all(directory)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Hidden, so that nothing takes it for a resource.
    let beside = directory.join(format!(".{name}.{}", std::process::id()));
    let written = fs::write(&beside, content).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Makes a file that is not there yet, with its content and permissions, and waits until the disk has both.
///
/// # Errors
/// What the operating system says. A file that is there but not whole is left for the caller to remove.
pub fn write_new(path: &Path, content: &[u8], permissions: u32) -> io::Result<()> {
    loops::may_wait("for a file");
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(content)?;
    // The mask of the process has taken bits from the mode that a new file gets.
    file.set_permissions(fs::Permissions::from_mode(permissions))?;
    file.sync_all()
}

/// Makes a file that is not there yet, with its content and the permissions of a new file. Directories are made.
///
/// # Errors
/// What the operating system says. A file that was there is as it was; one that could not be written whole is gone.
pub fn create(path: &Path, content: &[u8]) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or_else(|| Path::new("")))?;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    let written = file.write_all(content);
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

/// Gives a file or a directory another name, in the place of a file that has it. The directory is to be synchronised.
///
/// # Errors
/// What the operating system says; nothing has changed.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Removes a file. The directory is to be synchronised.
///
/// # Errors
/// What the operating system says; nothing has changed.
pub fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)
}

/// Makes a directory; it may be there already.
///
/// # Errors
/// What the operating system says.
pub fn make_directory(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        result => result,
    }
}

/// Makes a directory, and those that it lies in.
///
/// # Errors
/// What the operating system says.
pub fn make_directories(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// Removes a directory with all that is in it. Links in it are removed, and not followed.
///
/// # Errors
/// What the operating system says; part of it may be gone.
pub fn remove_directory(path: &Path) -> io::Result<()> {
    fs::remove_dir_all(path)
}

/// Waits until the disk has the names in a directory.
///
/// # Errors
/// What the operating system says.
pub fn synchronise_directory(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()
}

/// A directory that no other user can look into, and that goes when this is dropped.
#[derive(Debug)]
pub struct PrivateDirectory(PathBuf);

impl PrivateDirectory {
    /// Makes one where the system keeps temporary files.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn new(unique: &str) -> io::Result<PrivateDirectory> {
        let path = std::env::temp_dir().join(format!("apigateway-{}-{unique}", std::process::id()));
        // It must not be there: a link of another user could lead elsewhere.
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(PrivateDirectory(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for PrivateDirectory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_put_in_place_with_its_permissions() {
        let directory = std::env::temp_dir().join(format!("apigateway-put-{}", std::process::id()));
        make_directory(&directory).unwrap();
        make_directory(&directory).unwrap();
        let (new, path) = (directory.join(".new"), directory.join("a"));
        write_new(&new, b"1", 0o666).unwrap();
        assert_eq!(
            write_new(&new, b"2", 0o600).unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
        rename(&new, &path).unwrap();
        synchronise_directory(&directory).unwrap();
        assert_eq!(info(&path).unwrap().permissions, 0o666);
        assert_eq!(make_directory(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        remove(&path).unwrap();
        assert!(info(&path).is_err() && info(&new).is_err());
        remove_directory(&directory).unwrap();
    }

    #[test]
    fn a_file_is_read_up_to_its_bound_and_a_directory_is_none() {
        let directory = std::env::temp_dir().join(format!("apigateway-files-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("a");
        fs::write(&path, "12345").unwrap();
        for (most, expected) in [(9, "12345"), (5, "12345"), (4, "12345"), (3, "1234"), (0, "1")] {
            assert_eq!(read_at_most(&path, most).unwrap(), expected.as_bytes(), "{most}");
        }
        let error = read_at_most(&directory, 9).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let (mut file, id) = append_to(&path).unwrap();
        file.write_all(b"6").unwrap();
        let told = info(&path).unwrap();
        assert_eq!((told.id, told.length, told.kind), (id, 6, FileKind::File));
        std::os::unix::fs::symlink("none", directory.join("b")).unwrap();
        assert!(info(&directory.join("b")).is_err());
        let mut entries = entries(&directory).unwrap();
        entries.sort_by(|one, other| one.0.cmp(&other.0));
        assert_eq!(entries, [("a".into(), FileKind::File), ("b".into(), FileKind::Link)]);
        fs::remove_dir_all(&directory).unwrap();
    }
}
