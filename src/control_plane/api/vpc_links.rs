//! VpcLink: create, get, list, update, delete (`R20.75`). All APIs share them.

use std::sync::Arc;

use crate::control_plane::api::answer::Answer;
use crate::control_plane::api::api_files::{self, Members};
use crate::control_plane::api::call::{Answered, Call};
use crate::control_plane::api::edit;
use crate::control_plane::api::edits::Edits;
use crate::control_plane::api::error::ApiError;
use crate::control_plane::api::ids;
use crate::control_plane::api::kind::INTEGRATION;
use crate::control_plane::api::page;
use crate::control_plane::api::root::Root;
use crate::control_plane::api::tag_rules;
use crate::definition::document::Document;
use crate::definition::json::Json;
use crate::definition::model::vpc_link::MEMBERS;
use crate::definition::problem::{Problem, Severity};
use crate::definition::resource::SharedResources;
use crate::definition::unit::{Unit, UnitName};

/// Characters of a new id.
const ID_LENGTH: usize = 6;

/// The directory of the files.
const DIRECTORY: &str = "vpclinks";

/// The files of VPC links.
pub struct VpcLinks {
    unit: Arc<Unit>,
    resources: SharedResources,
}

impl VpcLinks {
    /// Reads them.
    pub fn of(root: &Root<'_>) -> VpcLinks {
        let unit = root.unit(&UnitName::Shared);
        VpcLinks {
            resources: SharedResources::read(root.directory(), &unit),
            unit,
        }
    }

    fn ids(&self) -> Vec<&str> {
        let files = self.unit.files.iter().filter(|file| file.directory("") == DIRECTORY);
        files.map(|file| file.id()).collect()
    }

    /// The text of a file.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.unit.file(path)?.text.as_deref().ok()
    }

    /// The file of a VPC link, to be changed.
    ///
    /// # Errors
    /// There is none with that id; or the file is not JSON or breaks a shape.
    pub fn document(&self, id: &str) -> Result<Document, ApiError> {
        if !self.ids().contains(&id) {
            return Err(ApiError::not_found(format!(
                "Invalid VpcLink identifier specified {id}"
            )));
        }
        let path = path(id);
        let is_error = |problem: &&Problem| problem.severity == Severity::Error && problem.file == path;
        if let Some(problem) = self.resources.problems.iter().find(is_error) {
            return Err(ApiError::conflict(problem.to_string()));
        }
        let document = Document::of(self.text(&path).unwrap_or_default());
        document.map_err(|text| ApiError::conflict(format!("{path}: {text}")))
    }
}

/// The path of a VPC link's file.
pub fn path(id: &str) -> String {
    format!("{DIRECTORY}/{id}.json")
}

fn show(root: &Root<'_>, id: &str, members: &Members) -> Json {
    let mut answer = Answer::of(MEMBERS, members);
    root.put_date(&mut answer, "CreatedDate", members, &path(id));
    answer.put_text("VpcLinkId", id);
    answer.put_text("VpcLinkStatus", "AVAILABLE");
    answer.put_text("VpcLinkStatusMessage", "VPC link is ready to route traffic");
    answer.put_text("VpcLinkVersion", "V2");
    answer.into_json()
}

/// GetVpcLink.
pub fn get(call: &Call<'_>, root: &Root<'_>) -> Answered {
    let id = call.label(0);
    let members = VpcLinks::of(root).document(id)?.members();
    Ok(Some(show(root, id, &members)))
}

/// GetVpcLinks.
pub fn list(call: &Call<'_>, root: &Root<'_>) -> Answered {
    let links = VpcLinks::of(root);
    let read = |id: &str| Some((id.to_owned(), links.document(id).ok()?.members()));
    let all = links.ids().into_iter().filter_map(read).collect();
    page::of(DIRECTORY, call.query, all, |id, members| show(root, id, members)).map(Some)
}

/// CreateVpcLink.
pub fn create(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let mut given = call.create(MEMBERS)?;
    if let Some(Json::Object(tags)) = given.get("Tags") {
        tag_rules::check(tags)?;
    }
    let links = VpcLinks::of(root);
    let taken = links.ids();
    let id = ids::new(ID_LENGTH, |id| taken.contains(&id))?;
    given.put(MEMBERS, "CreatedDate", call.date());
    let members = edit::members_of_new(MEMBERS, &given);
    edits.put(&path(&id), None, Document::write(members.clone()));
    Ok(Some(show(root, &id, &members)))
}

/// UpdateVpcLink.
pub fn update(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let (id, links) = (call.label(0), VpcLinks::of(root));
    let mut document = links.document(id)?;
    let given = call.update(MEMBERS)?;
    edit::update(&mut document, MEMBERS, &given);
    edits.put(&path(id), links.text(&path(id)), document.text().to_owned());
    Ok(Some(show(root, id, &document.members())))
}

/// DeleteVpcLink.
pub fn delete(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let (id, links) = (call.label(0), VpcLinks::of(root));
    if !links.ids().contains(&id) {
        return Err(ApiError::not_found(format!(
            "Invalid VpcLink identifier specified {id}"
        )));
    }
    for api in root.apis() {
        for (integration, members) in api.all(&INTEGRATION) {
            if api_files::text(&members, "ConnectionId") == Some(id) {
                return Err(ApiError::bad_request(format!(
                    "Cannot delete VPC link {id} because it is referenced by the integration {integration} of the API {}",
                    api.id()
                )));
            }
        }
    }
    edits.remove(&path(id), links.text(&path(id)));
    Ok(None)
}
