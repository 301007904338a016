//! `vpclinks/<id>.json`: a VPC link, by which integrations with `ConnectionType` `VPC_LINK` name a network. The gateway
//! reaches their URIs itself, so its fields have no effect.
//!
//! <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/vpclinks-vpclinkid.html>

use crate::definition::resource::fields::Fields;

/// The VpcLink object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VpcLink {
    /// Where it was read from.
    pub file: String,
    /// `Name`.
    pub name: Option<String>,
}

impl VpcLink {
    /// Reads the fields, and notes what is wrong with them.
    pub fn read(file: String, mut fields: Fields<'_>) -> VpcLink {
        let link = VpcLink {
            file,
            name: fields.string("Name"),
        };
        fields.strings("SubnetIds");
        fields.strings("SecurityGroupIds");
        fields.string_map("Tags");
        fields.without_effect(&[
            "CreatedDate",
            "VpcLinkId",
            "VpcLinkStatus",
            "VpcLinkStatusMessage",
            "VpcLinkVersion",
        ]);
        fields.finish();
        link
    }
}
