//! VpcLink: `vpclinks/<id>.json`.

use crate::definition::model::member::{Member, Shape, Value};

/// The members of a VpcLink.
pub const MEMBERS: &[Member] = &[
    Member::set_here("CreatedDate", Shape::Other),
    Member::text("Name", 1, 128).required(),
    Member::texts("SecurityGroupIds")
        .create_only()
        .default(Value::EmptyList),
    Member::texts("SubnetIds")
        .required()
        .create_only()
        .default(Value::EmptyList),
    Member::tags(),
    Member::set_here("VpcLinkId", Shape::Text { least: 1, most: 255 }),
    Member::answered("VpcLinkStatus"),
    Member::answered("VpcLinkStatusMessage"),
    Member::answered("VpcLinkVersion"),
];
