//! The floor: what a relay costs that blocks, as the gateway does, and looks at nothing.
//!
//! A thread for each connection, with a connection to the upstream of its own. It takes what one read gives for a whole
//! message, so it is good for small ones only: two reads and two writes for each exchange.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

use crate::Outcome;

/// Relays between a port and the upstream's until it is killed.
///
/// # Errors
/// The port cannot be listened at.
pub fn run(listen: u16, upstream: u16) -> Outcome<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, listen)).map_err(|error| error.to_string())?;
    for client in listener.incoming().flatten() {
        // An error of a connection is its end, which the one who measures sees.
        thread::spawn(move || relay(client, upstream));
    }
    Ok(())
}

fn relay(mut client: TcpStream, upstream: u16) -> io::Result<()> {
    let mut upstream = TcpStream::connect((Ipv4Addr::LOCALHOST, upstream))?;
    client.set_nodelay(true)?;
    upstream.set_nodelay(true)?;
    let mut buffer = vec![0; 16 * 1024];
    while pass(&mut client, &mut upstream, &mut buffer)? {
        pass(&mut upstream, &mut client, &mut buffer)?;
    }
    Ok(())
}

/// Passes a message on; false at the end.
fn pass(from: &mut TcpStream, to: &mut TcpStream, buffer: &mut [u8]) -> io::Result<bool> {
    let count = from.read(buffer)?;
    let (message, _) = buffer.split_at(count);
    to.write_all(message)?;
    Ok(count > 0)
}
