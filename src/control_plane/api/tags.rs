//! Tags: get, set, take off (`R20.90`), by the ARN of an API, a stage, a VPC link or a domain name.

use crate::control_plane::api::api_files;
use crate::control_plane::api::call::{Answered, Call};
use crate::control_plane::api::domain_files::DomainFile;
use crate::control_plane::api::edits::Edits;
use crate::control_plane::api::error::ApiError;
use crate::control_plane::api::kind::STAGE;
use crate::control_plane::api::root::Root;
use crate::control_plane::api::tag_rules;
use crate::control_plane::api::vpc_links::{self, VpcLinks};
use crate::control_plane::api::wire;
use crate::definition::document::Document;
use crate::definition::json::Json;
use crate::definition::model::member::{Member, Shape};
use crate::definition::model::{api, domain_name, stage, vpc_link};
use crate::definition::notation::arn;

/// The members of TagResource.
const MEMBERS: &[Member] = &[Member::of_calls(
    "Tags",
    Shape::TextMap {
        least: 0,
        most: usize::MAX,
    },
)];

/// The file of a resource that can have tags.
struct Tagged {
    path: String,
    before: Option<String>,
    document: Document,
    table: &'static [Member],
}

impl Tagged {
    fn find(root: &Root<'_>, arn: &str) -> Result<Tagged, ApiError> {
        let unknown = || ApiError::not_found(format!("Invalid ARN specified {arn}"));
        let resource = resource_of(arn).ok_or_else(unknown)?;
        let parts: Vec<&str> = resource.split('/').collect();
        let (path, before, document, table) = match parts.as_slice() {
            ["apis", id] => {
                let files = root.api(id)?;
                files.api()?;
                let path = files.api_path();
                (
                    path.clone(),
                    files.text(&path).map(str::to_owned),
                    files.document_at(&path)?,
                    api::MEMBERS,
                )
            }
            ["apis", id, "stages", name] => {
                let files = root.api(id)?;
                let path = files.path(&STAGE, name);
                (
                    path.clone(),
                    files.text(&path).map(str::to_owned),
                    files.document(&STAGE, name)?,
                    stage::MEMBERS,
                )
            }
            ["vpclinks", id] => {
                let links = VpcLinks::of(root);
                let path = vpc_links::path(id);
                (
                    path.clone(),
                    links.text(&path).map(str::to_owned),
                    links.document(id)?,
                    vpc_link::MEMBERS,
                )
            }
            ["domainnames", name] => {
                let file = DomainFile::find(root, name)?;
                (
                    file.path(),
                    file.text().map(str::to_owned),
                    file.document()?,
                    domain_name::MEMBERS,
                )
            }
            _ => return Err(unknown()),
        };
        Ok(Tagged {
            path,
            before,
            document,
            table,
        })
    }

    fn tags(&self) -> Vec<(String, Json)> {
        match api_files::value(&self.document.members(), "Tags") {
            Some(Json::Object(tags)) => tags.clone(),
            _ => Vec::new(),
        }
    }

    fn put(self, edits: &mut Edits) {
        edits.put(&self.path, self.before.as_deref(), self.document.text().to_owned());
    }
}

/// What an ARN names: `apis/<id>`, with any partition and region (`R20.11`).
fn resource_of(text: &str) -> Option<&str> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, "apigateway", region, "", resource] = parts.as_slice() else {
        return None;
    };
    (arn::is_partition(partition) && arn::is_region(region))
        .then_some(resource)?
        .strip_prefix('/')
}

/// GetTags.
pub fn get(call: &Call<'_>, root: &Root<'_>) -> Answered {
    let tags = Tagged::find(root, call.label(0))?.tags();
    Ok(Some(Json::Object(vec![("tags".to_owned(), Json::Object(tags))])))
}

/// TagResource.
pub fn set(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let mut tagged = Tagged::find(root, call.label(0))?;
    let given = call.create(MEMBERS)?;
    let Some(Json::Object(tags)) = given.get("Tags") else {
        return Err(ApiError::bad_request(format!(
            "Tags is a required parameter of {}",
            call.operation
        )));
    };
    tag_rules::check(tags)?;
    let order: Vec<&str> = tagged.table.iter().map(|member| member.name).collect();
    for (key, value) in tags {
        tagged.document.set(&["Tags", key], value, &order);
    }
    tag_rules::check_count(tagged.tags().len())?;
    tagged.put(edits);
    Ok(Some(Json::Object(Vec::new())))
}

/// UntagResource.
pub fn remove(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let mut tagged = Tagged::find(root, call.label(0))?;
    let keys = wire::parameters(call.query, "tagKeys")?;
    if keys.is_empty() {
        return Err(ApiError::bad_request(format!(
            "TagKeys is a required parameter of {}",
            call.operation
        )));
    }
    for key in &keys {
        tagged.document.remove(&["Tags", key]);
    }
    if tagged.tags().is_empty() {
        tagged.document.remove(&["Tags"]);
    }
    tagged.put(edits);
    Ok(None)
}
