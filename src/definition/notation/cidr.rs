//! Blocks of addresses: `10.0.0.0/8`, `2001:db8::/32`, or one address alone (RFC 4632, RFC 4291).
//!
//! # Example
//! ```
//! use apigateway::definition::notation::cidr::Cidr;
//!
//! let block: Cidr = "10.0.0.0/8".parse().unwrap();
//! assert!(block.contains("10.1.2.3".parse().unwrap()));
//! assert!(block.contains("::ffff:10.1.2.3".parse().unwrap()));
//! assert!(!block.contains("11.0.0.0".parse().unwrap()));
//! ```

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A block of addresses. Bits of the address beyond the prefix do not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    address: IpAddr,
    prefix: u32,
}

/// A text that is no block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidCidr;

impl fmt::Display for InvalidCidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a block of addresses such as 10.0.0.0/8")
    }
}

impl std::error::Error for InvalidCidr {}

impl FromStr for Cidr {
    type Err = InvalidCidr;

    fn from_str(text: &str) -> Result<Cidr, InvalidCidr> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| InvalidCidr)?;
        let bits = bits(address).1;
        let prefix = match prefix {
            None => bits,
            // `parse` would take a sign.
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| InvalidCidr)?
            }
            Some(_) => return Err(InvalidCidr),
        };
        if prefix > bits {
            return Err(InvalidCidr);
        }
        Ok(Cidr { address, prefix })
    }
}

impl Cidr {
    /// Whether an address lies in the block. An IPv4 address is the same however it is written.
    pub fn contains(&self, address: IpAddr) -> bool {
        let ((block, length), (asked, asked_length)) = (bits(self.address), bits(address.to_canonical()));
        let beyond = length - self.prefix;
        length == asked_length && (block ^ asked).checked_shr(beyond).unwrap_or(0) == 0
    }
}

/// The bits of an address, and how many there are.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_hold_their_addresses() {
        for (block, inside, outside) in [
            ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
            ("127.0.0.9/8", "127.255.255.255", "128.0.0.0"),
            ("0.0.0.0/0", "255.1.2.3", "::1"),
            ("::/0", "ff::1", "1.2.3.4"),
            ("192.168.128.0/17", "192.168.255.1", "192.168.127.255"),
            ("2001:db8::/32", "2001:db8:ffff::", "2001:db9::"),
            ("::1", "::1", "::2"),
        ] {
            let block: Cidr = block.parse().unwrap();
            assert!(block.contains(inside.parse().unwrap()), "{block:?} {inside}");
            assert!(!block.contains(outside.parse().unwrap()), "{block:?} {outside}");
        }
    }

    #[test]
    fn what_is_no_block() {
        for text in [
            "",
            "/8",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0/8",
            "::/129",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "h/8",
            " 10.0.0.0/8",
        ] {
            assert_eq!(text.parse::<Cidr>(), Err(InvalidCidr), "{text}");
        }
    }
}
