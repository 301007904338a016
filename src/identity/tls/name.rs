//! Distinguished names and serial numbers as AWS writes them.
//!
//! A name is in the certificate's order, with `,` between its parts and `+` within one, and with the escapes of RFC 4514.

use std::borrow::Cow;
use std::fmt::Write;

use crate::platform::der::{
    BMP_STRING, Der, IA5_STRING, NUMERIC_STRING, OBJECT_IDENTIFIER, PRINTABLE_STRING, SEQUENCE, SET, TELETEX_STRING,
    UNIVERSAL_STRING, UTF8_STRING,
};

/// Attributes that have a short name; all others have their number.
const ATTRIBUTES: [(&str, &str); 11] = [
    ("2.5.4.6", "C"),
    ("2.5.4.8", "ST"),
    ("2.5.4.7", "L"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.3", "CN"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("2.5.4.5", "serialNumber"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];

/// A name as text; none where it is malformed.
pub fn text_of(name: &[u8]) -> Option<String> {
    let mut parts = Der(name);
    let mut text = String::new();
    while !parts.is_empty() {
        let mut attributes = parts.within(SET)?;
        let mut separator = if text.is_empty() { "" } else { "," };
        while !attributes.is_empty() {
            let mut attribute = attributes.within(SEQUENCE)?;
            let number = dotted(attribute.expect(OBJECT_IDENTIFIER)?)?;
            let known = ATTRIBUTES.iter().find(|(known, _)| *known == number);
            let (tag, value) = attribute.next()?;
            text.push_str(separator);
            text.push_str(known.map_or(&number, |(_, short)| short));
            text.push('=');
            match string(tag, value) {
                Some(value) => push_escaped(&mut text, &value),
                None => push_hex(&mut text, tag, value),
            }
            separator = "+";
        }
    }
    Some(text)
}

/// An object identifier with dots between its numbers.
fn dotted(bytes: &[u8]) -> Option<String> {
    let mut numbers = Vec::new();
    let mut number = 0_u64;
    for byte in bytes {
        number = number.checked_mul(128)? + u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            numbers.push(std::mem::take(&mut number));
        }
    }
    if bytes.last()? & 0x80 != 0 {
        return None;
    }
    // The first two are one.
    let (first, rest) = numbers.split_first()?;
    let root = (first / 40).min(2);
    let mut text = format!("{root}.{}", first - root * 40);
    for number in rest {
        let _ = write!(text, ".{number}");
    }
    Some(text)
}

/// A value as text, where it is a string that can be read.
fn string(tag: u8, value: &[u8]) -> Option<Cow<'_, str>> {
    match tag {
        UTF8_STRING | NUMERIC_STRING | PRINTABLE_STRING | IA5_STRING => str::from_utf8(value).ok().map(Cow::Borrowed),
        TELETEX_STRING => Some(value.iter().map(|byte| char::from(*byte)).collect()),
        BMP_STRING => {
            let (pairs, rest) = value.as_chunks::<2>();
            let units = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
            let text: Option<String> = char::decode_utf16(units).map(Result::ok).collect();
            text.filter(|_| rest.is_empty()).map(Cow::Owned)
        }
        UNIVERSAL_STRING => {
            let (fours, rest) = value.as_chunks::<4>();
            let text: Option<String> = fours
                .iter()
                .map(|four| char::from_u32(u32::from_be_bytes(*four)))
                .collect();
            text.filter(|_| rest.is_empty()).map(Cow::Owned)
        }
        _ => None,
    }
}

/// Adds a value with the escapes of RFC 4514 §2.4. Control characters are escaped too, since a line of a log has it.
fn push_escaped(text: &mut String, value: &str) {
    let last = value.chars().count().saturating_sub(1);
    for (at, character) in value.chars().enumerate() {
        match character {
            ' ' if at == 0 || at == last => text.push_str("\\ "),
            '#' if at == 0 => text.push_str("\\#"),
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => {
                text.push('\\');
                text.push(character);
            }
            character if character.is_control() => {
                let mut bytes = [0; 4];
                for byte in character.encode_utf8(&mut bytes).bytes() {
                    let _ = write!(text, "\\{byte:02x}");
                }
            }
            character => text.push(character),
        }
    }
}

/// Adds what is no text as its encoding.
fn push_hex(text: &mut String, tag: u8, value: &[u8]) {
    text.push('#');
    let mut length = value
        .len()
        .to_be_bytes()
        .iter()
        .copied()
        .skip_while(|byte| *byte == 0)
        .collect::<Vec<u8>>();
    if value.len() > 0x7f {
        length.insert(0, 0x80 | u8::try_from(length.len()).unwrap_or_default());
    } else if length.is_empty() {
        length.push(0);
    }
    for byte in std::iter::once(tag).chain(length).chain(value.iter().copied()) {
        let _ = write!(text, "{byte:02x}");
    }
}

/// A serial number: decimal up to 63 bits, longer ones as bytes with `:` between them.
pub fn serial_number(bytes: &[u8]) -> String {
    // A number of which the first bit is set has a zero before it.
    let significant = match bytes {
        [0, rest @ ..] if !rest.is_empty() => rest,
        bytes => bytes,
    };
    let is_negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
    let number = (significant.len() <= 8 && !is_negative).then(|| {
        significant
            .iter()
            .fold(0_u64, |number, byte| (number << 8) | u64::from(*byte))
    });
    match number.filter(|number| *number < 1 << 63) {
        Some(number) => number.to_string(),
        None => {
            let bytes: Vec<String> = significant.iter().map(|byte| format!("{byte:02x}")).collect();
            bytes.join(":")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value with that tag.
    fn wrapped(tag: u8, value: &[u8]) -> Vec<u8> {
        let mut der = vec![tag, u8::try_from(value.len()).unwrap()];
        der.extend_from_slice(value);
        der
    }

    fn attribute(number: &[u8], tag: u8, value: &[u8]) -> Vec<u8> {
        let parts = [wrapped(OBJECT_IDENTIFIER, number), wrapped(tag, value)].concat();
        wrapped(SEQUENCE, &parts)
    }

    #[test]
    fn names_are_written_in_their_order() {
        let part = |number: u8, text: &str| wrapped(SET, &attribute(&[0x55, 4, number], UTF8_STRING, text.as_bytes()));
        let name = [
            part(6, "US"),
            part(8, "Washington"),
            part(7, "Seattle"),
            part(10, "Amazon Web Services"),
            part(11, "Security"),
            part(3, "My Client"),
        ]
        .concat();
        let expected = "C=US,ST=Washington,L=Seattle,O=Amazon Web Services,OU=Security,CN=My Client";
        assert_eq!(text_of(&name).as_deref(), Some(expected));
        assert_eq!(text_of(&[]).as_deref(), Some(""));
        let two = [
            attribute(&[0x55, 4, 3], PRINTABLE_STRING, b"a"),
            attribute(
                &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1],
                IA5_STRING,
                b"b",
            ),
        ];
        let email = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1];
        let name = [
            wrapped(SET, &two.concat()),
            wrapped(SET, &attribute(&email, IA5_STRING, b"a@b")),
            wrapped(SET, &attribute(&[0x2a, 3, 4], UTF8_STRING, "ü".as_bytes())),
            wrapped(SET, &attribute(&[0x88, 0x37, 3], 5, b"")),
            wrapped(SET, &attribute(&[0x55, 4, 5], BMP_STRING, &[0, b'7', 0x20, 0xac])),
        ]
        .concat();
        let expected = "CN=a+UID=b,emailAddress=a@b,1.2.3.4=ü,2.999.3=#0500,serialNumber=7€";
        assert_eq!(text_of(&name).as_deref(), Some(expected));
        assert_eq!(text_of(&name[1..]), None);
    }

    #[test]
    fn values_are_escaped() {
        for (value, expected) in [
            (" a b ", "\\ a b\\ "),
            ("#a#", "\\#a#"),
            ("a,b+c=d\"e\\f<g>;", "a\\,b\\+c=d\\\"e\\\\f\\<g\\>\\;"),
            ("a\nb\0", "a\\0ab\\00"),
            (" ", "\\ "),
            ("", ""),
        ] {
            let mut text = String::new();
            push_escaped(&mut text, value);
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn serial_numbers_are_decimal_up_to_63_bits() {
        for (bytes, expected) in [
            (&[1][..], "1"),
            (&[0], "0"),
            (&[0, 0xff], "255"),
            (&[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "9223372036854775807"),
            (&[0, 0x80, 0, 0, 0, 0, 0, 0, 1], "80:00:00:00:00:00:00:01"),
            (&[0, 0xa1, 0xa1, 1, 2, 3, 4, 5, 6, 7], "a1:a1:01:02:03:04:05:06:07"),
            (&[0x80], "80"),
        ] {
            assert_eq!(serial_number(bytes), expected);
        }
    }
}
