//! What the kernel knows of this process: its memory, its descriptors, its connections. Nothing where there is no
//! `/proc`.

use std::fs;
use std::net::{IpAddr, SocketAddr};

use rustix::process::Uid;

/// Bytes of memory that are in RAM.
pub fn resident_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Descriptors that are open.
pub fn open_descriptors() -> Option<u64> {
    let entries = fs::read_dir("/proc/self/fd").ok()?;
    // The one that reads the directory is among them.
    u64::try_from(entries.count()).ok()?.checked_sub(1)
}

/// Most descriptors that may be open.
pub fn max_descriptors() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Threads that run or wait.
pub fn threads() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Threads:"))?;
    line.trim().parse().ok()
}

/// The user whose process has the other end of a connection on this machine, over IPv4.
pub fn user_of(client: SocketAddr, server: SocketAddr) -> Option<Uid> {
    find_user(&fs::read_to_string("/proc/self/net/tcp").ok()?, client, server)
}

/// Columns: number, local address, remote address, state, queues, timer, retransmissions, user.
fn find_user(table: &str, client: SocketAddr, server: SocketAddr) -> Option<Uid> {
    let (client, server) = (in_table(client)?, in_table(server)?);
    let mut columns = table.lines().map(|line| line.split_ascii_whitespace().skip(1));
    let mut rest = columns.find_map(|mut columns| {
        let is_it = columns.next() == Some(&client) && columns.next() == Some(&server);
        is_it.then_some(columns)
    })?;
    rest.nth(4)?.parse().ok().map(Uid::from_raw)
}

/// An address as the kernel writes it: in hexadecimal, its four bytes as they are in memory.
fn in_table(address: SocketAddr) -> Option<String> {
    let IpAddr::V4(ip) = address.ip() else {
        return None;
    };
    Some(format!(
        "{:08X}:{:04X}",
        u32::from_ne_bytes(ip.octets()),
        address.port()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_of_a_connection_is_who_opened_it() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let client = std::net::TcpStream::connect(server).unwrap();
        let client = client.local_addr().unwrap();
        let me = fs::metadata("/proc/self").ok().map(|_| rustix::process::geteuid());
        assert_eq!(user_of(client, server), me);
        assert_eq!(user_of(server, server), None);

        let own = |address: SocketAddr| in_table(address).unwrap();
        let line = format!(" 3: {} {} 01 0:0 00:0 0 1001 0 99 1", own(client), own(server));
        for (table, expected) in [
            (line.clone(), Some(1001)),
            (
                format!("  sl  local_address rem_address\n 1: 0 0 0A\n{line}\n"),
                Some(1001),
            ),
            (line.replace("1001", "nobody"), None),
            (line.replace(&own(server), "00000000:0000"), None),
            (String::new(), None),
        ] {
            let user = find_user(&table, client, server);
            assert_eq!(user, expected.map(Uid::from_raw), "{table}");
        }
    }
}
