//! AWS's operations, each with its method and path.
//!
//! <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/resources.html>

use std::fmt;

use percent_encoding::percent_decode_str;

/// One of AWS's operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the operation of that name")]
pub enum Operation {
    CreateApi,
    GetApis,
    ImportApi,
    DeleteApi,
    GetApi,
    ReimportApi,
    UpdateApi,
    CreateAuthorizer,
    GetAuthorizers,
    DeleteAuthorizer,
    GetAuthorizer,
    UpdateAuthorizer,
    DeleteCorsConfiguration,
    CreateDeployment,
    GetDeployments,
    DeleteDeployment,
    GetDeployment,
    UpdateDeployment,
    ExportApi,
    CreateIntegration,
    GetIntegrations,
    DeleteIntegration,
    GetIntegration,
    UpdateIntegration,
    CreateIntegrationResponse,
    GetIntegrationResponses,
    DeleteIntegrationResponse,
    GetIntegrationResponse,
    UpdateIntegrationResponse,
    CreateModel,
    GetModels,
    DeleteModel,
    GetModel,
    UpdateModel,
    GetModelTemplate,
    CreateRoute,
    GetRoutes,
    DeleteRoute,
    GetRoute,
    UpdateRoute,
    DeleteRouteRequestParameter,
    CreateRouteResponse,
    GetRouteResponses,
    DeleteRouteResponse,
    GetRouteResponse,
    UpdateRouteResponse,
    CreateStage,
    GetStages,
    DeleteStage,
    GetStage,
    UpdateStage,
    DeleteAccessLogSettings,
    ResetAuthorizersCache,
    DeleteRouteSettings,
    CreateDomainName,
    GetDomainNames,
    DeleteDomainName,
    GetDomainName,
    UpdateDomainName,
    CreateApiMapping,
    GetApiMappings,
    DeleteApiMapping,
    GetApiMapping,
    UpdateApiMapping,
    GetTags,
    TagResource,
    UntagResource,
    CreateVpcLink,
    GetVpcLinks,
    DeleteVpcLink,
    GetVpcLink,
    UpdateVpcLink,
    /// An operation of AWS's that this gateway does not have.
    Other(&'static str),
}

/// The place of a label in a path.
const LABEL: &str = "*";

/// What the paths of tags begin with. All that follows is one label: hand-made clients send its slashes as they are.
const TAGS: &str = "/v2/tags/";

/// Method, path and operation.
#[rustfmt::skip]
const OPERATIONS: &[(&str, &str, Operation)] = &[
    ("POST", "/v2/apis", Operation::CreateApi),
    ("GET", "/v2/apis", Operation::GetApis),
    ("PUT", "/v2/apis", Operation::ImportApi),
    ("DELETE", "/v2/apis/*", Operation::DeleteApi),
    ("GET", "/v2/apis/*", Operation::GetApi),
    ("PUT", "/v2/apis/*", Operation::ReimportApi),
    ("PATCH", "/v2/apis/*", Operation::UpdateApi),
    ("POST", "/v2/apis/*/authorizers", Operation::CreateAuthorizer),
    ("GET", "/v2/apis/*/authorizers", Operation::GetAuthorizers),
    ("DELETE", "/v2/apis/*/authorizers/*", Operation::DeleteAuthorizer),
    ("GET", "/v2/apis/*/authorizers/*", Operation::GetAuthorizer),
    ("PATCH", "/v2/apis/*/authorizers/*", Operation::UpdateAuthorizer),
    ("DELETE", "/v2/apis/*/cors", Operation::DeleteCorsConfiguration),
    ("POST", "/v2/apis/*/deployments", Operation::CreateDeployment),
    ("GET", "/v2/apis/*/deployments", Operation::GetDeployments),
    ("DELETE", "/v2/apis/*/deployments/*", Operation::DeleteDeployment),
    ("GET", "/v2/apis/*/deployments/*", Operation::GetDeployment),
    ("PATCH", "/v2/apis/*/deployments/*", Operation::UpdateDeployment),
    ("GET", "/v2/apis/*/exports/*", Operation::ExportApi),
    ("POST", "/v2/apis/*/integrations", Operation::CreateIntegration),
    ("GET", "/v2/apis/*/integrations", Operation::GetIntegrations),
    ("DELETE", "/v2/apis/*/integrations/*", Operation::DeleteIntegration),
    ("GET", "/v2/apis/*/integrations/*", Operation::GetIntegration),
    ("PATCH", "/v2/apis/*/integrations/*", Operation::UpdateIntegration),
    ("POST", "/v2/apis/*/integrations/*/integrationresponses", Operation::CreateIntegrationResponse),
    ("GET", "/v2/apis/*/integrations/*/integrationresponses", Operation::GetIntegrationResponses),
    ("DELETE", "/v2/apis/*/integrations/*/integrationresponses/*", Operation::DeleteIntegrationResponse),
    ("GET", "/v2/apis/*/integrations/*/integrationresponses/*", Operation::GetIntegrationResponse),
    ("PATCH", "/v2/apis/*/integrations/*/integrationresponses/*", Operation::UpdateIntegrationResponse),
    ("POST", "/v2/apis/*/models", Operation::CreateModel),
    ("GET", "/v2/apis/*/models", Operation::GetModels),
    ("DELETE", "/v2/apis/*/models/*", Operation::DeleteModel),
    ("GET", "/v2/apis/*/models/*", Operation::GetModel),
    ("PATCH", "/v2/apis/*/models/*", Operation::UpdateModel),
    ("GET", "/v2/apis/*/models/*/template", Operation::GetModelTemplate),
    ("POST", "/v2/apis/*/routes", Operation::CreateRoute),
    ("GET", "/v2/apis/*/routes", Operation::GetRoutes),
    ("DELETE", "/v2/apis/*/routes/*", Operation::DeleteRoute),
    ("GET", "/v2/apis/*/routes/*", Operation::GetRoute),
    ("PATCH", "/v2/apis/*/routes/*", Operation::UpdateRoute),
    ("DELETE", "/v2/apis/*/routes/*/requestparameters/*", Operation::DeleteRouteRequestParameter),
    ("POST", "/v2/apis/*/routes/*/routeresponses", Operation::CreateRouteResponse),
    ("GET", "/v2/apis/*/routes/*/routeresponses", Operation::GetRouteResponses),
    ("DELETE", "/v2/apis/*/routes/*/routeresponses/*", Operation::DeleteRouteResponse),
    ("GET", "/v2/apis/*/routes/*/routeresponses/*", Operation::GetRouteResponse),
    ("PATCH", "/v2/apis/*/routes/*/routeresponses/*", Operation::UpdateRouteResponse),
    ("POST", "/v2/apis/*/stages", Operation::CreateStage),
    ("GET", "/v2/apis/*/stages", Operation::GetStages),
    ("DELETE", "/v2/apis/*/stages/*", Operation::DeleteStage),
    ("GET", "/v2/apis/*/stages/*", Operation::GetStage),
    ("PATCH", "/v2/apis/*/stages/*", Operation::UpdateStage),
    ("DELETE", "/v2/apis/*/stages/*/accesslogsettings", Operation::DeleteAccessLogSettings),
    ("DELETE", "/v2/apis/*/stages/*/cache/authorizers", Operation::ResetAuthorizersCache),
    ("DELETE", "/v2/apis/*/stages/*/routesettings/*", Operation::DeleteRouteSettings),
    ("POST", "/v2/domainnames", Operation::CreateDomainName),
    ("GET", "/v2/domainnames", Operation::GetDomainNames),
    ("DELETE", "/v2/domainnames/*", Operation::DeleteDomainName),
    ("GET", "/v2/domainnames/*", Operation::GetDomainName),
    ("PATCH", "/v2/domainnames/*", Operation::UpdateDomainName),
    ("POST", "/v2/domainnames/*/apimappings", Operation::CreateApiMapping),
    ("GET", "/v2/domainnames/*/apimappings", Operation::GetApiMappings),
    ("DELETE", "/v2/domainnames/*/apimappings/*", Operation::DeleteApiMapping),
    ("GET", "/v2/domainnames/*/apimappings/*", Operation::GetApiMapping),
    ("PATCH", "/v2/domainnames/*/apimappings/*", Operation::UpdateApiMapping),
    ("GET", "/v2/tags/*", Operation::GetTags),
    ("POST", "/v2/tags/*", Operation::TagResource),
    ("DELETE", "/v2/tags/*", Operation::UntagResource),
    ("POST", "/v2/vpclinks", Operation::CreateVpcLink),
    ("GET", "/v2/vpclinks", Operation::GetVpcLinks),
    ("DELETE", "/v2/vpclinks/*", Operation::DeleteVpcLink),
    ("GET", "/v2/vpclinks/*", Operation::GetVpcLink),
    ("PATCH", "/v2/vpclinks/*", Operation::UpdateVpcLink),
    // The newest ones, and those of portals (R20.6).
    ("POST", "/v2/domainnames/*/routingrules", Operation::Other("CreateRoutingRule")),
    ("GET", "/v2/domainnames/*/routingrules", Operation::Other("ListRoutingRules")),
    ("DELETE", "/v2/domainnames/*/routingrules/*", Operation::Other("DeleteRoutingRule")),
    ("GET", "/v2/domainnames/*/routingrules/*", Operation::Other("GetRoutingRule")),
    ("PUT", "/v2/domainnames/*/routingrules/*", Operation::Other("PutRoutingRule")),
    ("POST", "/v2/portalproducts", Operation::Other("CreatePortalProduct")),
    ("GET", "/v2/portalproducts", Operation::Other("ListPortalProducts")),
    ("DELETE", "/v2/portalproducts/*", Operation::Other("DeletePortalProduct")),
    ("GET", "/v2/portalproducts/*", Operation::Other("GetPortalProduct")),
    ("PATCH", "/v2/portalproducts/*", Operation::Other("UpdatePortalProduct")),
    ("POST", "/v2/portalproducts/*/productpages", Operation::Other("CreateProductPage")),
    ("GET", "/v2/portalproducts/*/productpages", Operation::Other("ListProductPages")),
    ("DELETE", "/v2/portalproducts/*/productpages/*", Operation::Other("DeleteProductPage")),
    ("GET", "/v2/portalproducts/*/productpages/*", Operation::Other("GetProductPage")),
    ("PATCH", "/v2/portalproducts/*/productpages/*", Operation::Other("UpdateProductPage")),
    ("POST", "/v2/portalproducts/*/productrestendpointpages", Operation::Other("CreateProductRestEndpointPage")),
    ("GET", "/v2/portalproducts/*/productrestendpointpages", Operation::Other("ListProductRestEndpointPages")),
    ("DELETE", "/v2/portalproducts/*/productrestendpointpages/*", Operation::Other("DeleteProductRestEndpointPage")),
    ("GET", "/v2/portalproducts/*/productrestendpointpages/*", Operation::Other("GetProductRestEndpointPage")),
    ("PATCH", "/v2/portalproducts/*/productrestendpointpages/*", Operation::Other("UpdateProductRestEndpointPage")),
    ("DELETE", "/v2/portalproducts/*/sharingpolicy", Operation::Other("DeletePortalProductSharingPolicy")),
    ("GET", "/v2/portalproducts/*/sharingpolicy", Operation::Other("GetPortalProductSharingPolicy")),
    ("PUT", "/v2/portalproducts/*/sharingpolicy", Operation::Other("PutPortalProductSharingPolicy")),
    ("POST", "/v2/portals", Operation::Other("CreatePortal")),
    ("GET", "/v2/portals", Operation::Other("ListPortals")),
    ("DELETE", "/v2/portals/*", Operation::Other("DeletePortal")),
    ("GET", "/v2/portals/*", Operation::Other("GetPortal")),
    ("PATCH", "/v2/portals/*", Operation::Other("UpdatePortal")),
    ("POST", "/v2/portals/*/preview", Operation::Other("PreviewPortal")),
    ("DELETE", "/v2/portals/*/publish", Operation::Other("DisablePortal")),
    ("POST", "/v2/portals/*/publish", Operation::Other("PublishPortal")),
];

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operation::Other(name) => f.write_str(name),
            other => fmt::Debug::fmt(other, f),
        }
    }
}

impl Operation {
    /// The operation that a method and a path name, and the labels of the path, decoded (`R20.3`).
    ///
    /// # Example
    /// ```
    /// use apigateway::control_plane::api::operation::Operation;
    ///
    /// let found = Operation::find("GET", "/v2/apis/a1/stages/%24default");
    /// assert_eq!(found, Some((Operation::GetStage, vec!["a1".to_owned(), "$default".to_owned()])));
    /// assert_eq!(Operation::find("GET", "/v2/nothing"), None);
    /// ```
    pub fn find(method: &str, path: &str) -> Option<(Operation, Vec<String>)> {
        // RFC 9110 §9.3.2: as GET, and the front leaves the content out.
        let method = if method == "HEAD" { "GET" } else { method };
        if let Some(resource) = path.strip_prefix(TAGS) {
            let of_tags = |(known, pattern, _): &&(&str, &str, Operation)| {
                *known == method && pattern.strip_prefix(TAGS) == Some(LABEL)
            };
            let (_, _, operation) = OPERATIONS.iter().find(of_tags)?;
            return Some((*operation, vec![decoded(resource)?]));
        }
        OPERATIONS.iter().find_map(|(known, pattern, operation)| {
            let labels = (*known == method).then(|| labels(pattern, path)).flatten()?;
            Some((*operation, labels))
        })
    }

    fn method(self) -> &'static str {
        let is_own = |(_, _, operation): &&(&str, &str, Operation)| *operation == self;
        OPERATIONS.iter().find(is_own).map_or("", |(method, _, _)| *method)
    }

    /// Whether the operation changes something.
    pub fn is_write(self) -> bool {
        self.method() != "GET"
    }

    /// Whether the content of a call can say nothing: all is in its path and its query.
    pub fn has_no_members(self) -> bool {
        matches!(self.method(), "GET" | "DELETE")
    }
}

/// What stands in the places of the labels; none where the path is another.
fn labels(pattern: &str, path: &str) -> Option<Vec<String>> {
    let (mut wanted, mut found) = (pattern.split('/'), path.split('/'));
    let mut labels = Vec::new();
    loop {
        match (wanted.next(), found.next()) {
            (None, None) => return Some(labels),
            (Some(LABEL), Some(segment)) if !segment.is_empty() => labels.push(decoded(segment)?),
            (Some(wanted), Some(segment)) if wanted == segment && wanted != LABEL => {}
            _ => return None,
        }
    }
}

/// A label freed of its percent-encoding; none where that is not UTF-8.
fn decoded(label: &str) -> Option<String> {
    percent_decode_str(label).decode_utf8().ok().map(String::from)
}
