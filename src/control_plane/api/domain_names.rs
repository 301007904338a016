//! DomainName: create, get, list, update, delete (`R20.72`, `R20.73`).

use crate::control_plane::api::answer::Answer;
use crate::control_plane::api::api_files::{self, Members};
use crate::control_plane::api::call::{Answered, Call};
use crate::control_plane::api::domain_files::DomainFile;
use crate::control_plane::api::edit;
use crate::control_plane::api::edits::Edits;
use crate::control_plane::api::error::ApiError;
use crate::control_plane::api::file_writer;
use crate::control_plane::api::members::Given;
use crate::control_plane::api::page;
use crate::control_plane::api::root::Root;
use crate::control_plane::api::tag_rules;
use crate::definition::document::Document;
use crate::definition::json::Json;
use crate::definition::model::domain_name::MEMBERS;
use crate::definition::model::wire_name;

/// Most characters of a domain's name, so that its file can have that name.
const MAX_NAME_LENGTH: usize = 250;

/// The zone of a name that no DNS of AWS's serves.
const HOSTED_ZONE: &str = "Z00000000LOCALHOST00";

/// The members that a hand-written configuration has for this gateway.
const OF_FILES: [&str; 2] = ["CertificateFile", "KeyFile"];

/// GetDomainName.
pub fn get(call: &Call<'_>, root: &Root<'_>) -> Answered {
    let file = DomainFile::find(root, call.label(0))?;
    let members = file.members()?;
    Ok(Some(answer(call, root, &file, &members)))
}

/// GetDomainNames.
pub fn list(call: &Call<'_>, root: &Root<'_>) -> Answered {
    let read = |name: String| {
        let file = DomainFile::known(root, name.clone());
        let members = file.members().ok()?;
        Some((name, (file, members)))
    };
    let domains = root.domain_names().into_iter().filter_map(read).collect();
    page::of("domainnames", call.query, domains, |_, (file, members)| {
        answer(call, root, file, members)
    })
    .map(Some)
}

fn answer(call: &Call<'_>, root: &Root<'_>, file: &DomainFile, members: &Members) -> Json {
    let mut answer = Answer::of(MEMBERS, members);
    let (name, region) = (file.name(), &call.settings.region);
    answer.put_text("DomainName", name);
    answer.put_text(
        "DomainNameArn",
        format!("arn:aws:apigateway:{region}::/domainnames/{name}"),
    );
    answer.put_text("ApiMappingSelectionExpression", "$request.basepath");
    if matches!(answer.get("MutualTlsAuthentication"), Some(Json::Object(said)) if said.is_empty()) {
        answer.remove("MutualTlsAuthentication");
    }
    if let Some(Json::Array(configurations)) = answer.get("DomainNameConfigurations").cloned() {
        let mut dates = Answer::default();
        root.put_date(&mut dates, "CertificateUploadDate", &[], &file.path());
        let uploaded = dates
            .get("CertificateUploadDate")
            .cloned()
            .or_else(|| Some(call.date()));
        let whole = |configuration: Json| whole_configuration(configuration, name, region, uploaded.as_ref());
        let configurations = configurations.into_iter().map(whole).collect();
        answer.put("DomainNameConfigurations", Json::Array(configurations));
    }
    answer.into_json()
}

/// A configuration with what AWS makes itself.
fn whole_configuration(configuration: Json, name: &str, region: &str, uploaded: Option<&Json>) -> Json {
    let Json::Object(mut members) = configuration else {
        return configuration;
    };
    let hash = file_writer::hash(name.as_bytes());
    let id = hash.get(..10).unwrap_or_default();
    let has_certificate = members.iter().any(|(name, _)| name == "certificateArn");
    let text = |text: String| Some(Json::String(text));
    for (name, value) in [
        (
            "ApiGatewayDomainName",
            text(format!("d-{id}.execute-api.{region}.amazonaws.com")),
        ),
        ("CertificateUploadDate", uploaded.filter(|_| has_certificate).cloned()),
        ("DomainNameStatus", text("AVAILABLE".to_owned())),
        ("HostedZoneId", text(HOSTED_ZONE.to_owned())),
    ] {
        let name = wire_name(name);
        if let Some(value) = value.filter(|_| members.iter().all(|(member, _)| *member != name)) {
            members.push((name, value));
        }
    }
    Json::Object(members)
}

/// A call names no file of this machine: a truststore is one of S3, beside whose URL a person names the file that is the
/// same.
fn check_truststore(given: &Given) -> Result<(), ApiError> {
    let Some(Json::Object(said)) = given.get("MutualTlsAuthentication") else {
        return Ok(());
    };
    match api_files::text(said, "TruststoreUri") {
        Some(uri) if !uri.starts_with("s3://") => Err(ApiError::bad_request(
            "TruststoreUri must be a URL of S3, as s3://bucket/truststore.pem",
        )),
        _ => Ok(()),
    }
}

/// CreateDomainName.
pub fn create(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let given = call.create(MEMBERS)?;
    let name = given.text("DomainName").unwrap_or_default();
    if !is_name(name) {
        let text = format!(
            "DomainName must be a host name of two labels or more, with lower-case letters, digits, - and _, {MAX_NAME_LENGTH} \
             characters at most; *. may stand first"
        );
        return Err(ApiError::bad_request(text));
    }
    if root.domain_names().iter().any(|known| known == name) {
        return Err(ApiError::conflict("The domain name resource already exists."));
    }
    check_truststore(&given)?;
    if let Some(Json::Object(tags)) = given.get("Tags") {
        tag_rules::check(tags)?;
    }
    let file = DomainFile::new(name);
    let mut members = edit::members_of_new(MEMBERS, &given);
    // The file has the name already.
    members.retain(|(member, _)| member != "DomainName");
    edits.put(&file.path(), None, Document::write(members.clone()));
    Ok(Some(answer(call, root, &file, &members)))
}

/// UpdateDomainName.
pub fn update(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let file = DomainFile::find(root, call.label(0))?;
    let mut document = file.document()?;
    let before = document.members();
    let mut given = call.update(MEMBERS)?;
    check_truststore(&given)?;
    if let Some(Json::Object(said)) = given.get("MutualTlsAuthentication")
        && api_files::is_null(said, "TruststoreUri")
    {
        given.put(MEMBERS, "MutualTlsAuthentication", Json::Null);
    }
    if let Some(configurations) = given.get("DomainNameConfigurations") {
        let kept = with_files(
            configurations.clone(),
            api_files::value(&before, "DomainNameConfigurations"),
        );
        given.put(MEMBERS, "DomainNameConfigurations", kept);
    }
    edit::update(&mut document, MEMBERS, &given);
    edits.put(&file.path(), file.text(), document.text().to_owned());
    Ok(Some(answer(call, root, &file, &document.members())))
}

/// A new configuration with the certificate's files of the one that it replaces.
fn with_files(mut new: Json, before: Option<&Json>) -> Json {
    let (Json::Array(new_items), Some(Json::Array(items))) = (&mut new, before) else {
        return new;
    };
    if let (Some(Json::Object(members)), Some(Json::Object(before))) = (new_items.first_mut(), items.first()) {
        let kept = before.iter().filter(|(name, _)| OF_FILES.contains(&name.as_str()));
        members.extend(kept.cloned());
    }
    new
}

/// DeleteDomainName, with its mappings.
pub fn delete(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let file = DomainFile::find(root, call.label(0))?;
    edits.remove(&file.path(), file.text());
    Ok(None)
}

/// Whether a text is the name of a domain. It becomes the name of a file.
fn is_name(name: &str) -> bool {
    let labels = name.strip_prefix("*.").unwrap_or(name);
    let is_known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    let is_label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(is_known);
    let is_address = labels.parse::<std::net::Ipv4Addr>().is_ok();
    name.len() <= MAX_NAME_LENGTH && name.contains('.') && labels.split('.').all(is_label) && !is_address
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn names_of_domains() {
        for (name, expected) in [
            ("api.example.com", true),
            ("*.example.com", true),
            ("*.com", true),
            ("a.b", true),
            ("a_b.c-d", true),
            ("gateway", false),
            ("*", false),
            ("*.", false),
            ("a.*.b", false),
            ("Api.example.com", false),
            ("a..b", false),
            (".a.b", false),
            ("a.b.", false),
            ("../a.b", false),
            ("a.b\0", false),
            ("a.b:80", false),
            ("1.2.3.4", false),
            ("", false),
        ] {
            assert_eq!(is_name(name), expected, "{name:?}");
        }
        let long = format!("{}.b", "a.".repeat(130));
        assert!(!is_name(&long));
    }
}
