//! Which names are those of sources, that people write, and which are those of what programs write.

use std::ffi::OsStr;
use std::path::Path;

/// Files and directories of what is made or fetched, and what editors leave for a moment.
const LEFT_OUT: [&str; 7] = [
    "node_modules",
    "target",
    "__pycache__",
    "venv",
    "nohup.out",
    "dump.rdb",
    "4913",
];

/// Directories that programs write into. Only code counts in them, since a package may be called so too.
const OF_PROGRAMS: [&str; 7] = ["cache", "caches", "log", "logs", "tmp", "temp", "spool"];

/// Endings of what programs write: logs, data bases, locks, what an interpreter or an editor keeps beside a file.
const WRITTEN: [&str; 26] = [
    "log", "tmp", "temp", "swp", "swo", "swx", "pid", "lock", "lck", "pyc", "pyo", "bak", "orig", "old", "part",
    "journal", "wal", "shm", "rdb", "aof", "mdb", "ldb", "sst", "sock", "prof", "cache",
];

/// What the endings of data bases and their journals begin with: `.db3`, `.sqlite-wal`.
const DATA_BASES: [&str; 2] = ["db", "sqlite"];

/// Endings of packed files: a rotated log may be packed.
const PACKED: [&str; 5] = ["gz", "bz2", "xz", "zst", "z"];

/// Endings of what is run: programs, scripts, libraries.
const CODE: [&str; 57] = [
    "py", "pyi", "js", "mjs", "cjs", "jsx", "ts", "tsx", "mts", "cts", "rb", "php", "pl", "pm", "lua", "sh", "bash",
    "zsh", "ps1", "java", "class", "jar", "kt", "kts", "scala", "clj", "groovy", "go", "rs", "c", "cc", "cpp", "h",
    "hpp", "cs", "fs", "vb", "dll", "so", "dylib", "exe", "wasm", "swift", "zig", "ex", "exs", "beam", "erl", "hs",
    "ml", "r", "jl", "dart", "nim", "cr", "node", "vue",
];

/// Whether a file or a directory of that name is looked at.
pub(super) fn is_source(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    let is_hidden = bytes.starts_with(b".");
    let is_backup =
        bytes.ends_with(b"~") || bytes.ends_with(b"___") || (bytes.starts_with(b"#") && bytes.ends_with(b"#"));
    !is_hidden && !is_backup && !LEFT_OUT.iter().any(|left_out| *left_out == name) && !is_written_by_programs(name)
}

/// Whether only code counts in a directory of that name.
pub(super) fn is_of_programs(name: &OsStr) -> bool {
    OF_PROGRAMS.iter().any(|known| *known == name)
}

/// Whether a file of that name is run, and not written by what runs.
pub(super) fn is_code(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str);
    extension.is_some_and(|extension| CODE.contains(&extension.to_ascii_lowercase().as_str()))
}

/// `app.log`, `app.log.1.gz`, `app.log.2026-11-29`, `app.log-20261129`, `pets.sqlite3`, `pets.db-wal`.
fn is_written_by_programs(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    let name = name.to_ascii_lowercase();
    // The first part is no ending.
    let mut endings = name.split('.').skip(1).collect::<Vec<_>>();
    while endings.len() > 1
        && endings
            .last()
            .is_some_and(|ending| PACKED.contains(ending) || is_of_rotation(ending))
    {
        endings.pop();
    }
    let Some(ending) = endings.last() else { return false };
    let before_date = ending
        .split_once('-')
        .map_or(*ending, |(before, date)| match is_of_rotation(date) {
            true => before,
            false => ending,
        });
    WRITTEN.contains(&before_date) || DATA_BASES.iter().any(|begin| ending.starts_with(begin))
}

/// A number or a date.
fn is_of_rotation(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"-_:t".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_sources_and_programs_write_the_rest() {
        for name in [
            "app.py",
            "index.mjs",
            "bootstrap",
            "data.json",
            "lib.so.1",
            "data.gz",
            "Dockerfile",
            "db",
            "log",
            "log.py",
            "app.db.py",
            "output.txt",
            "cache",
            "v1.2",
            "a.b.c",
            "sqlite.go",
            "x.logic",
            "catalog.json",
            "log-20261129.txt",
        ] {
            assert!(is_source(name.as_ref()), "{name}");
        }
        for name in [
            ".git",
            "a.py~",
            "#a.py#",
            "a.py___jb_tmp___",
            "node_modules",
            "__pycache__",
            "app.log",
            "APP.LOG",
            "app.log.1",
            "app.log.2.gz",
            "app.log.2026-11-29",
            "app.log.2026-11-29_10-00",
            "app.log-20261129",
            "app.log-20261129.gz",
            "a.tmp",
            "a.swp",
            "a.pid",
            "yarn.lock",
            "a.pyc",
            "pets.db",
            "pets.db3",
            "pets.db-wal",
            "pets.db-journal",
            "db.sqlite3",
            "pets.sqlite-shm",
            "pets.sqlite",
            "pets.db.1",
            "nohup.out",
            "4913",
            "a.cache",
        ] {
            assert!(!is_source(name.as_ref()), "{name}");
        }
    }
}
