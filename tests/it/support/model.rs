//! The members of the model, as the schemas must have them.

use std::collections::BTreeSet;

use apigateway::definition::model;
use apigateway::definition::model::member::{Member, Shape};

/// The members of the model's resource, which the reader of the files takes its names from.
pub fn members_of(kind: &str) -> &'static [Member] {
    match kind {
        "api" => model::api::MEMBERS,
        "stage" => model::stage::MEMBERS,
        "route" => model::route::MEMBERS,
        "integration" => model::integration::MEMBERS,
        "authorizer" => model::authorizer::MEMBERS,
        "deployment" => model::deployment::MEMBERS,
        "domain" => model::domain_name::MEMBERS,
        "vpc-link" => model::vpc_link::MEMBERS,
        _ => &[],
    }
}

/// The names of members that files have, and what the values of those may be that are one of a few.
pub fn gather(members: &[Member], names: &mut BTreeSet<String>, choices: &mut BTreeSet<String>) {
    for member in members.iter().filter(|member| member.in_file) {
        names.insert(member.name.to_owned());
        match member.shape {
            // The schema has a form for each of these, with a test of its own.
            Shape::OneOf(_) if member.name == "IntegrationSubtype" => {}
            Shape::OneOf(texts) => choices.extend(texts.iter().map(|text| (*text).to_owned())),
            // What a file says there is not looked at.
            Shape::Objects(inner) if member.name == "DomainNameConfigurations" => {
                gather(inner, names, &mut BTreeSet::new());
            }
            Shape::Object(inner) | Shape::Objects(inner) | Shape::ObjectMap(inner) => gather(inner, names, choices),
            _ => {}
        }
    }
}
