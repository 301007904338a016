//! `IntegrationSubtype`: the calls of AWS's services that a route can make, and the parameters of each (`R6.2`).
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-aws-services-reference.html>
//!
//! # Example
//! ```
//! use apigateway::definition::notation::integration_subtype::{IntegrationSubtype, Service};
//!
//! let subtype = IntegrationSubtype::parse("SQS-SendMessage").unwrap();
//! assert_eq!(subtype.service(), Service::Sqs);
//! let required = subtype.parameters().filter(|parameter| parameter.is_required);
//! assert_eq!(required.map(|parameter| parameter.name).collect::<Vec<_>>(), ["QueueUrl", "MessageBody"]);
//! assert_eq!(IntegrationSubtype::parse("SNS-Publish"), None);
//! ```

use crate::definition::notation::service_parameter::ParameterKind;

/// A call of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntegrationSubtype {
    /// `EventBridge-PutEvents`.
    PutEvents,
    /// `SQS-SendMessage`.
    SendMessage,
    /// `SQS-ReceiveMessage`.
    ReceiveMessage,
    /// `SQS-DeleteMessage`.
    DeleteMessage,
    /// `SQS-PurgeQueue`.
    PurgeQueue,
    /// `AppConfig-GetConfiguration`.
    GetConfiguration,
    /// `Kinesis-PutRecord`.
    PutRecord,
    /// `StepFunctions-StartExecution`.
    StartExecution,
    /// `StepFunctions-StartSyncExecution`.
    StartSyncExecution,
    /// `StepFunctions-StopExecution`.
    StopExecution,
}

/// A service of AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are AWS's names")]
pub enum Service {
    AppConfig,
    EventBridge,
    Kinesis,
    Sqs,
    StepFunctions,
}

/// A parameter of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its key in `RequestParameters`.
    pub name: &'static str,
    /// Whether the call cannot be made without it.
    pub is_required: bool,
    /// What its value is.
    pub kind: ParameterKind,
}

const fn required(name: &'static str, kind: ParameterKind) -> Parameter {
    Parameter {
        name,
        is_required: true,
        kind,
    }
}

const fn optional(name: &'static str, kind: ParameterKind) -> Parameter {
    Parameter {
        name,
        is_required: false,
        kind,
    }
}

/// The parameter that every call takes: it chooses the host and is not sent.
const REGION: Parameter = optional("Region", ParameterKind::Region);

const TEXT: ParameterKind = ParameterKind::Text;

const fn integer(least: u32, most: u32) -> ParameterKind {
    ParameterKind::Integer { least, most }
}

impl IntegrationSubtype {
    /// Every subtype, in the order of AWS's documentation.
    pub const ALL: [IntegrationSubtype; 10] = [
        IntegrationSubtype::PutEvents,
        IntegrationSubtype::SendMessage,
        IntegrationSubtype::ReceiveMessage,
        IntegrationSubtype::DeleteMessage,
        IntegrationSubtype::PurgeQueue,
        IntegrationSubtype::GetConfiguration,
        IntegrationSubtype::PutRecord,
        IntegrationSubtype::StartExecution,
        IntegrationSubtype::StartSyncExecution,
        IntegrationSubtype::StopExecution,
    ];

    /// The names of all, in the same order.
    pub const NAMES: [&str; 10] = [
        IntegrationSubtype::PutEvents.as_str(),
        IntegrationSubtype::SendMessage.as_str(),
        IntegrationSubtype::ReceiveMessage.as_str(),
        IntegrationSubtype::DeleteMessage.as_str(),
        IntegrationSubtype::PurgeQueue.as_str(),
        IntegrationSubtype::GetConfiguration.as_str(),
        IntegrationSubtype::PutRecord.as_str(),
        IntegrationSubtype::StartExecution.as_str(),
        IntegrationSubtype::StartSyncExecution.as_str(),
        IntegrationSubtype::StopExecution.as_str(),
    ];

    /// The subtype of that name, to the letter.
    pub fn parse(name: &str) -> Option<IntegrationSubtype> {
        IntegrationSubtype::ALL
            .into_iter()
            .find(|subtype| subtype.as_str() == name)
    }

    /// The name as it stands in a file.
    pub const fn as_str(self) -> &'static str {
        match self {
            IntegrationSubtype::PutEvents => "EventBridge-PutEvents",
            IntegrationSubtype::SendMessage => "SQS-SendMessage",
            IntegrationSubtype::ReceiveMessage => "SQS-ReceiveMessage",
            IntegrationSubtype::DeleteMessage => "SQS-DeleteMessage",
            IntegrationSubtype::PurgeQueue => "SQS-PurgeQueue",
            IntegrationSubtype::GetConfiguration => "AppConfig-GetConfiguration",
            IntegrationSubtype::PutRecord => "Kinesis-PutRecord",
            IntegrationSubtype::StartExecution => "StepFunctions-StartExecution",
            IntegrationSubtype::StartSyncExecution => "StepFunctions-StartSyncExecution",
            IntegrationSubtype::StopExecution => "StepFunctions-StopExecution",
        }
    }

    /// What the service calls it: the name without the service's.
    pub fn action(self) -> &'static str {
        self.as_str().split_once('-').map_or("", |(_, action)| action)
    }

    /// The service that is called.
    pub fn service(self) -> Service {
        match self {
            IntegrationSubtype::PutEvents => Service::EventBridge,
            IntegrationSubtype::SendMessage
            | IntegrationSubtype::ReceiveMessage
            | IntegrationSubtype::DeleteMessage
            | IntegrationSubtype::PurgeQueue => Service::Sqs,
            IntegrationSubtype::GetConfiguration => Service::AppConfig,
            IntegrationSubtype::PutRecord => Service::Kinesis,
            IntegrationSubtype::StartExecution
            | IntegrationSubtype::StartSyncExecution
            | IntegrationSubtype::StopExecution => Service::StepFunctions,
        }
    }

    /// The first label of AWS's host for the call.
    pub fn host_label(self) -> &'static str {
        match self {
            IntegrationSubtype::StartSyncExecution => "sync-states",
            _ => self.service().signing_name(),
        }
    }

    /// The parameters, the required ones first.
    pub fn parameters(self) -> impl Iterator<Item = &'static Parameter> {
        self.own_parameters().iter().chain([&REGION])
    }

    /// The parameter of that name, to the letter.
    pub fn parameter(self, name: &str) -> Option<&'static Parameter> {
        self.parameters().find(|parameter| parameter.name == name)
    }

    fn own_parameters(self) -> &'static [Parameter] {
        match self {
            IntegrationSubtype::PutEvents => &PUT_EVENTS,
            IntegrationSubtype::SendMessage => &SEND_MESSAGE,
            IntegrationSubtype::ReceiveMessage => &RECEIVE_MESSAGE,
            IntegrationSubtype::DeleteMessage => &DELETE_MESSAGE,
            IntegrationSubtype::PurgeQueue => &PURGE_QUEUE,
            IntegrationSubtype::GetConfiguration => &GET_CONFIGURATION,
            IntegrationSubtype::PutRecord => &PUT_RECORD,
            IntegrationSubtype::StartExecution => &START_EXECUTION,
            IntegrationSubtype::StartSyncExecution => &START_SYNC_EXECUTION,
            IntegrationSubtype::StopExecution => &STOP_EXECUTION,
        }
    }
}

static PUT_EVENTS: [Parameter; 7] = [
    required("Detail", TEXT),
    required("DetailType", TEXT),
    required("Source", TEXT),
    optional("Time", ParameterKind::Time),
    optional("EventBusName", TEXT),
    optional("Resources", ParameterKind::Strings),
    optional("TraceHeader", TEXT),
];

static SEND_MESSAGE: [Parameter; 7] = [
    required("QueueUrl", ParameterKind::QueueUrl),
    required("MessageBody", TEXT),
    optional("DelaySeconds", integer(0, 900)),
    optional("MessageAttributes", ParameterKind::Attributes),
    optional("MessageDeduplicationId", TEXT),
    optional("MessageGroupId", TEXT),
    optional("MessageSystemAttributes", ParameterKind::Attributes),
];

static RECEIVE_MESSAGE: [Parameter; 7] = [
    required("QueueUrl", ParameterKind::QueueUrl),
    optional("AttributeNames", ParameterKind::Strings),
    optional("MaxNumberOfMessages", integer(1, 10)),
    optional("MessageAttributeNames", ParameterKind::Strings),
    optional("ReceiveRequestAttemptId", TEXT),
    optional("VisibilityTimeout", integer(0, 43_200)),
    optional("WaitTimeSeconds", integer(0, 20)),
];

static DELETE_MESSAGE: [Parameter; 2] = [
    required("ReceiptHandle", TEXT),
    required("QueueUrl", ParameterKind::QueueUrl),
];

static PURGE_QUEUE: [Parameter; 1] = [required("QueueUrl", ParameterKind::QueueUrl)];

static GET_CONFIGURATION: [Parameter; 5] = [
    required("Application", ParameterKind::PathSegment),
    required("Environment", ParameterKind::PathSegment),
    required("Configuration", ParameterKind::PathSegment),
    required("ClientId", TEXT),
    optional("ClientConfigurationVersion", TEXT),
];

static PUT_RECORD: [Parameter; 5] = [
    required("StreamName", TEXT),
    required("Data", ParameterKind::Bytes),
    required("PartitionKey", TEXT),
    optional("SequenceNumberForOrdering", TEXT),
    optional("ExplicitHashKey", TEXT),
];

static START_EXECUTION: [Parameter; 3] = [
    required("StateMachineArn", ParameterKind::StatesArn),
    optional("Name", TEXT),
    optional("Input", TEXT),
];

static START_SYNC_EXECUTION: [Parameter; 4] = [
    required("StateMachineArn", ParameterKind::StatesArn),
    optional("Name", TEXT),
    optional("Input", TEXT),
    optional("TraceHeader", TEXT),
];

static STOP_EXECUTION: [Parameter; 3] = [
    required("ExecutionArn", ParameterKind::StatesArn),
    optional("Cause", TEXT),
    optional("Error", TEXT),
];

impl Service {
    /// Every service.
    pub const ALL: [Service; 5] = [
        Service::AppConfig,
        Service::EventBridge,
        Service::Kinesis,
        Service::Sqs,
        Service::StepFunctions,
    ];

    /// The name for which requests are signed, and the first label of its host.
    pub fn signing_name(self) -> &'static str {
        match self {
            Service::AppConfig => "appconfig",
            Service::EventBridge => "events",
            Service::Kinesis => "kinesis",
            Service::Sqs => "sqs",
            Service::StepFunctions => "states",
        }
    }

    /// What follows `AWS_ENDPOINT_URL_` in the name of the variable that holds its endpoint.
    pub fn endpoint_suffix(self) -> &'static str {
        match self {
            Service::AppConfig => "APPCONFIG",
            Service::EventBridge => "EVENTBRIDGE",
            Service::Kinesis => "KINESIS",
            Service::Sqs => "SQS",
            Service::StepFunctions => "SFN",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_subtype_has_its_name_and_no_parameter_twice() {
        for (subtype, name) in IntegrationSubtype::ALL.into_iter().zip(IntegrationSubtype::NAMES) {
            assert_eq!(IntegrationSubtype::parse(name), Some(subtype));
            let mut names: Vec<&str> = subtype.parameters().map(|parameter| parameter.name).collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "{name}");
            assert!(subtype.parameter("Region").is_some_and(|region| !region.is_required));
        }
        for name in ["", "sqs-SendMessage", "SQS-SendMessage ", "SendMessage", "SNS-Publish"] {
            assert_eq!(IntegrationSubtype::parse(name), None, "{name}");
        }
        assert_eq!(IntegrationSubtype::StartSyncExecution.action(), "StartSyncExecution");
    }
}
