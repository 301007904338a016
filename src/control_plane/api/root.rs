//! The files as a call finds them. Each part of the root is read once; which were, a write looks at again.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::control_plane::api::answer::Answer;
use crate::control_plane::api::api_files::{self, ApiFiles};
use crate::control_plane::api::error::ApiError;
use crate::definition::json::Json;
use crate::definition::store::Store;
use crate::definition::unit::{APIS_DIRECTORY, DOMAINS_DIRECTORY, Listing, Unit, UnitName};
use crate::platform::clock::iso_8601;
use crate::platform::files;

/// The root as a call finds it.
#[derive(Debug)]
pub struct Root<'a> {
    /// None where a template is served: then the listing is all that there is.
    store: Option<&'a Store>,
    /// What was read before: files that have not changed are not read again.
    known: &'a Listing,
    read: RefCell<BTreeMap<UnitName, Arc<Unit>>>,
}

impl<'a> Root<'a> {
    /// The files of a store, of which some are known, or those of a listing alone.
    pub fn new(store: Option<&'a Store>, known: &'a Listing) -> Root<'a> {
        Root {
            store,
            known,
            read: RefCell::default(),
        }
    }

    /// The files of a part of the root.
    pub fn unit(&self, name: &UnitName) -> Arc<Unit> {
        if let Some(unit) = self.read.borrow().get(name) {
            return Arc::clone(unit);
        }
        let known = self.known.units.get(name);
        let unit = match self.store {
            Some(store) => store.load_unit(name, known.map(Arc::as_ref)),
            None => known.map_or_else(|| Unit::empty(name.clone()), |unit| (**unit).clone()),
        };
        // Files that are the same stay the same value, so that a comparison takes no time.
        let unit = known
            .filter(|known| ***known == unit)
            .cloned()
            .unwrap_or_else(|| Arc::new(unit));
        self.read.borrow_mut().insert(name.clone(), Arc::clone(&unit));
        unit
    }

    /// The parts that were read.
    pub fn into_read(self) -> BTreeMap<UnitName, Arc<Unit>> {
        self.read.into_inner()
    }

    /// The directory that the files are below.
    pub fn directory(&self) -> &Path {
        &self.known.root
    }

    /// The ids of the APIs in `apis/`, sorted.
    pub fn ids_in_directory(&self) -> Vec<String> {
        let Some(store) = self.store else {
            let id = |name: &UnitName| match name {
                UnitName::Api(id) => Some(id.clone()),
                _ => None,
            };
            return self.known.units.keys().filter_map(id).collect();
        };
        store.names_in(APIS_DIRECTORY)
    }

    /// The API with that id.
    ///
    /// # Errors
    /// There is none.
    pub fn api(&self, id: &str) -> Result<ApiFiles, ApiError> {
        let name = UnitName::Api(id.to_owned());
        // The id becomes part of a path only where it is a name in the directory.
        if self.ids_in_directory().iter().any(|known| known == id) {
            let unit = self.unit(&name);
            if unit.is_there() {
                return Ok(ApiFiles::of(unit));
            }
        }
        self.root_api()
            .filter(|api| api.id() == id)
            .ok_or_else(|| ApiError::not_found(format!("Invalid API identifier specified {id}")))
    }

    /// The API whose files stand at the root.
    pub fn root_api(&self) -> Option<ApiFiles> {
        let unit = self.unit(&UnitName::RootApi);
        unit.is_there().then(|| ApiFiles::of(unit))
    }

    /// Every API.
    pub fn apis(&self) -> Vec<ApiFiles> {
        let names = self.ids_in_directory().into_iter().map(UnitName::Api);
        let units = names.map(|name| self.unit(&name)).filter(|unit| unit.is_there());
        let others: Vec<ApiFiles> = units.map(ApiFiles::of).collect();
        self.root_api().into_iter().chain(others).collect()
    }

    /// Whether an id is that of an API, without case.
    pub fn is_api_id_taken(&self, id: &str) -> bool {
        self.ids_in_directory().iter().any(|known| known == id)
            || self.root_api().is_some_and(|api| api.id().eq_ignore_ascii_case(id))
    }

    /// The names of the custom domains, sorted.
    pub fn domain_names(&self) -> Vec<String> {
        let Some(store) = self.store else {
            let name = |name: &UnitName| match name {
                UnitName::Domain(name) => Some(name.clone()),
                _ => None,
            };
            return self.known.units.keys().filter_map(name).collect();
        };
        let names = store.names_in(DOMAINS_DIRECTORY);
        let domain = |name: String| name.strip_suffix(".json").map(str::to_owned);
        names.into_iter().filter_map(domain).collect()
    }

    /// Says a date of a resource: that of its file's members, else when the file was changed last.
    pub fn put_date(&self, answer: &mut Answer, name: &str, members: &[(String, Json)], path: &str) {
        let written = api_files::text(members, name).filter(|text| is_date(text));
        let modified = || {
            let info = files::info(&self.store?.root().join(path)).ok()?;
            files::time_of(info.modified).map(iso_8601)
        };
        answer.remove(name);
        if let Some(date) = written.map(str::to_owned).or_else(modified) {
            answer.put_text(name, date);
        }
    }

    /// Which stages of an API the custom domains are mapped to.
    pub fn mapped_stages(&self, api_id: &str) -> Vec<String> {
        let mut stages = Vec::new();
        for name in self.domain_names() {
            let unit = self.unit(&UnitName::Domain(name));
            for file in &unit.files {
                let mappings = file.text.as_ref().ok().and_then(|text| mappings(text));
                for mapping in mappings.unwrap_or_default() {
                    if mapping.0 == api_id {
                        stages.push(mapping.1);
                    }
                }
            }
        }
        stages
    }
}

/// Whether a text begins like a date of ISO 8601. SDKs fail on others.
fn is_date(text: &str) -> bool {
    let is_like = |(place, byte): (usize, u8)| match place {
        4 | 7 => byte == b'-',
        10 => byte == b'T',
        13 | 16 => byte == b':',
        _ => byte.is_ascii_digit(),
    };
    text.len() >= 20 && text.bytes().take(19).enumerate().all(is_like)
}

/// API and stage of each mapping in the file of a domain.
fn mappings(text: &str) -> Option<Vec<(String, String)>> {
    let Ok(Json::Object(members)) = Json::parse(text.strip_prefix('\u{feff}').unwrap_or(text)) else {
        return None;
    };
    let (_, list) = members.into_iter().find(|(name, _)| name == "ApiMappings")?;
    let Json::Array(items) = list else { return None };
    let mapping = |item: &Json| {
        let Json::Object(members) = item else { return None };
        let text = |name: &str| {
            members.iter().find_map(|(member, value)| match value {
                Json::String(text) if member == name => Some(text.clone()),
                _ => None,
            })
        };
        Some((text("ApiId")?, text("Stage")?))
    };
    Some(items.iter().filter_map(mapping).collect())
}
