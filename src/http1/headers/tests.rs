//! No field can end its line, and none is lost.

use super::*;

#[test]
fn no_secret_is_shown() {
    let headers = Headers::of(&[
        ("authorization", "hidden"),
        ("proxy-authorization", "hidden"),
        ("x-amz-security-token", "hidden"),
        ("x-aws-ec2-metadata-token", "hidden"),
        ("x-a", "shown"),
    ]);
    let text = format!("{headers:?}");
    assert!(!text.contains("hidden") && text.contains("shown"), "{text}");
}

#[test]
fn fields_keep_their_order_and_their_duplicates() {
    let mut headers = Headers::new();
    headers.append("X-B", b"1").unwrap();
    headers.append("x-a", b"caf\xe9").unwrap();
    headers.append("X-b", b"2, 3").unwrap();
    let all: Vec<_> = headers.iter().collect();
    assert_eq!(all, [("x-b", &b"1"[..]), ("x-a", b"caf\xe9"), ("x-b", b"2, 3")]);
    assert_eq!(headers.list("X-B").collect::<Vec<_>>(), [b"1", b"2", b"3"]);
    headers.put("x-b", "4");
    assert_eq!(headers.get_all("x-b").collect::<Vec<_>>(), [b"4"]);
}

#[test]
fn twins_of_a_name_are_told_apart_from_it() {
    let mut headers = Headers::of(&[
        ("X-My-Role", "1"),
        ("x_my-role", "2"),
        ("X-MY_ROLE", "3"),
        ("x-my-roles", "4"),
        ("xmyrole", "5"),
    ]);
    headers.remove_twins("x-my-role");
    let values: Vec<&[u8]> = headers.iter().map(|(_, value)| value).collect();
    assert_eq!(values, [b"1", b"4", b"5"]);
    assert_eq!(headers.twins("x-my-role").count(), 0);
    assert_eq!(headers.twins("X.My_Role").collect::<Vec<_>>(), ["x-my-role"]);
    headers.remove_twins("X_My_Role");
    assert_eq!(headers.iter().count(), 2);
    headers.remove_twins("host");
    assert_eq!(headers.iter().count(), 2);
}

#[test]
fn nothing_can_begin_a_new_line() {
    let mut headers = Headers::new();
    for (name, value) in [
        ("x", &b"a\r\nb: c"[..]),
        ("x", b"a\nb"),
        ("x", b"\0"),
        ("x", b"\x7f"),
        ("x y", b"a"),
        ("", b"a"),
        ("x:", b"a"),
        ("x\r\ny", b"a"),
    ] {
        assert_eq!(headers.append(name, value), Err(InvalidField), "{name:?}: {value:?}");
    }
    headers.put("x", "a\r\nb: c");
    assert_eq!(headers.get("x"), Some(&b"ab: c"[..]));
}
