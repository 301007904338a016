//! AWS's resources by their members, each named once: what a file holds, a call may say and an answer has.
//!
//! <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/api-reference.html>
//!
//! A file writes a member as the AWS CLI does (`RouteKey`), the wire with a small first letter (`routeKey`). Members
//! stand in the order of AWS's model, in which files are written.

pub mod member;
pub mod api;
pub mod route;
pub mod integration;
pub mod authorizer;
pub mod stage;
pub mod deployment;
pub mod domain_name;
pub mod vpc_link;

/// The name of a member on the wire.
///
/// # Example
/// ```
/// assert_eq!(apigateway::definition::model::wire_name("RouteKey"), "routeKey");
/// ```
pub fn wire_name(name: &str) -> String {
    with_first(name, char::to_ascii_lowercase)
}

/// The name of a member in the model and in files, from that on the wire.
pub fn model_name(wire: &str) -> String {
    with_first(wire, char::to_ascii_uppercase)
}

fn with_first(name: &str, change: fn(&char) -> char) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|first| change(&first));
    first.into_iter().chain(letters).collect()
}
