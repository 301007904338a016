//! AWS_PROXY integrations with Lambda functions (spec §5.1).
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

use crate::definition::notation::arn::FunctionArn;
use crate::definition::problem::Problems;
use crate::definition::resource::integration::Integration as Resource;
use crate::deployment::function::{Function, Functions};

/// What an AWS_PROXY integration invokes.
#[derive(Debug)]
pub struct LambdaProxy {
    /// The function's ARN, with this stage's variables in it.
    pub arn: FunctionArn,
    /// Where its events go.
    pub function: Function,
    /// What events and answers look like.
    pub payload_format: PayloadFormat,
}

/// `PayloadFormatVersion`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadFormat {
    /// `"1.0"`: the one of REST APIs, nearly.
    V1,
    /// `"2.0"`.
    V2,
}

impl PayloadFormat {
    /// Reads the value of the field.
    ///
    /// # Errors
    /// There is no such version.
    pub(super) fn parse(text: &str) -> Result<PayloadFormat, String> {
        match text {
            "1.0" => Ok(PayloadFormat::V1),
            "2.0" => Ok(PayloadFormat::V2),
            other => Err(format!("{other:?} is neither \"1.0\" nor \"2.0\"")),
        }
    }
}

/// The fields that do not depend on a stage.
#[derive(Debug)]
pub(super) struct Draft {
    payload_format: PayloadFormat,
}

impl Draft {
    /// Checks the fields.
    pub(super) fn check(resource: &Resource, problems: &mut Problems) -> Draft {
        let file = resource.file.as_str();
        if let Some(method) = resource
            .integration_method
            .as_deref()
            .filter(|method| *method != "POST")
        {
            // R5.2: it says how Lambda is called; the client's method does not matter.
            let text = format!("{method:?} is not \"POST\", by which every function is invoked");
            problems.error(file, "/IntegrationMethod", text);
        }
        let is_vpc_link = resource.connection_type.as_deref() == Some("VPC_LINK");
        if is_vpc_link || resource.connection_id.is_some() {
            let pointer = if is_vpc_link {
                "/ConnectionType"
            } else {
                "/ConnectionId"
            };
            problems.error(file, pointer, "a function is not reached by a VPC link");
        }
        if resource.tls_config.is_some() {
            problems.error(file, "/TlsConfig", "a function has no server name to verify");
        }
        let payload_format = match resource.payload_format_version.as_deref().map(PayloadFormat::parse) {
            Some(Ok(format)) => format,
            Some(Err(text)) => {
                problems.error(file, "/PayloadFormatVersion", text);
                PayloadFormat::V2
            }
            None => {
                let text = "the field is missing: \"1.0\" or \"2.0\"";
                problems.error_unless_known(file, "/PayloadFormatVersion", text);
                PayloadFormat::V2
            }
        };
        Draft { payload_format }
    }

    /// What is invoked; none where the function's file is wrong.
    pub(super) fn with_arn(&self, arn: FunctionArn, functions: &Functions) -> Option<LambdaProxy> {
        Some(LambdaProxy {
            function: functions.get(&arn)?,
            arn,
            payload_format: self.payload_format,
        })
    }
}
