//! `Ref` and `Fn::GetAtt`: what they give where it can be told without AWS (`R31.14`), and what SAM makes (`R32.12`).

use crate::template::evaluator::{Evaluator, IMPLICIT_API, Resource};
use crate::template::ids::{api_id, sam_hash};
use crate::template::place::Place;
use crate::template::value::{Data, Value};

/// What the port of an `ApiEndpoint` is where the gateway listens by default.
const ENDPOINT_SUFFIX: &str = "execute-api.localhost:8000";

impl Evaluator<'_> {
    /// What `Ref` gives.
    pub(super) fn reference(&self, name: &str, place: &Place) -> Value {
        if let Some(value) = self.resolution(name) {
            return Value::text(place, value);
        }
        if let Some(value) = self
            .pseudo_parameter(name, place)
            .or_else(|| self.parameter(name, place))
        {
            return value;
        }
        if let Some(resource) = self.resource(name) {
            return match self.refusal_of(&resource) {
                Some(why) => Value::unresolved(place, why),
                None => self.ref_of(&resource, place),
            };
        }
        match self.made_by_sam(name) {
            Some(text) => Value::text(place, text),
            None => {
                let text = format!("there is neither a parameter nor a resource named {name:?}");
                Value::unresolved(place, text)
            }
        }
    }

    /// What `${name}` gives in `Fn::Sub`.
    pub(super) fn named_in_text(&self, name: &str, place: &Place) -> Value {
        match name.split_once('.') {
            Some((resource, attribute)) if self.made_by_sam(name).is_none() && !name.starts_with("AWS::") => {
                self.get_attribute(resource, attribute, place)
            }
            _ => self.reference(name, place),
        }
    }

    /// What `Fn::GetAtt` gives.
    pub(super) fn get_attribute(&self, name: &str, attribute: &str, place: &Place) -> Value {
        if let Some(value) = self.resolution(&format!("{name}.{attribute}")) {
            return Value::text(place, value);
        }
        let Some(resource) = self.resource(name) else {
            let made = match (self.made_by_sam(name), attribute) {
                (Some(role), "Arn") if name.ends_with("Role") => Some(self.iam_arn(&role)),
                (Some(api), "ApiId") => Some(api),
                (Some(api), "ApiEndpoint") if name == IMPLICIT_API => Some(endpoint(&api)),
                _ => None,
            };
            return match made {
                Some(text) => Value::text(place, text),
                None => Value::unresolved(place, format!("there is no resource named {name:?}")),
            };
        };
        if let Some(why) = self.refusal_of(&resource) {
            return Value::unresolved(place, why);
        }
        match self.attribute_of(&resource, attribute) {
            Some(text) => Value::text(place, text),
            None => {
                let kind = &resource.kind;
                Value::unresolved(
                    place,
                    format!(
                        "{attribute} of {name} ({kind}) is known to AWS only: --resolve {name}.{attribute}=VALUE gives it"
                    ),
                )
            }
        }
    }

    /// Why a resource is not there.
    fn refusal_of(&self, resource: &Resource) -> Option<String> {
        let id = &resource.id;
        match self.exists(resource) {
            Ok(true) => None,
            Ok(false) => {
                let condition = self.condition_of(resource).unwrap_or_default();
                Some(format!("{id} is not created: the condition {condition} is false"))
            }
            Err(why) => Some(format!("whether {id} is created is not known: {why}")),
        }
    }

    fn ref_of(&self, resource: &Resource, place: &Place) -> Value {
        let (id, kind) = (&resource.id, &resource.kind);
        let text = match service_of(kind) {
            "ApiGatewayV2::Api" | "Serverless::HttpApi" => api_id(id),
            "ApiGatewayV2::Stage" => self.name_of(resource, "StageName"),
            "ApiGatewayV2::DomainName" => self.name_of(resource, "DomainName"),
            "ApiGatewayV2::Route"
            | "ApiGatewayV2::Integration"
            | "ApiGatewayV2::Authorizer"
            | "ApiGatewayV2::Deployment"
            | "ApiGatewayV2::VpcLink"
            | "ApiGatewayV2::ApiMapping" => id.to_string(),
            "Lambda::Function" | "Serverless::Function" => self.name_of(resource, "FunctionName"),
            "Lambda::Alias" => format!("{}:{}", self.function_of(resource), self.name_of(resource, "Name")),
            "Lambda::Version" => format!("{}:1", self.function_of(resource)),
            "Lambda::LayerVersion" | "Serverless::LayerVersion" => {
                self.environment.arn("lambda", &format!("layer:{id}:1"))
            }
            "IAM::Role" => self.name_of(resource, "RoleName"),
            "SQS::Queue" => {
                let (environment, name) = (&self.environment, self.name_of(resource, "QueueName"));
                let (region, suffix) = (&environment.region, environment.url_suffix());
                format!("https://sqs.{region}.{suffix}/{}/{name}", environment.account_id)
            }
            "SNS::Topic" => self.environment.arn("sns", &self.name_of(resource, "TopicName")),
            "StepFunctions::StateMachine" | "Serverless::StateMachine" => {
                let name = self.name_of(resource, state_machine_name(kind));
                self.environment.arn("states", &format!("stateMachine:{name}"))
            }
            other => match name_property(other) {
                Some(property) => self.name_of(resource, property),
                None => {
                    let text =
                        format!("what Ref {id} ({kind}) gives is known to AWS only: --resolve {id}=VALUE gives it");
                    return Value::unresolved(place, text);
                }
            },
        };
        Value::text(place, text)
    }

    fn attribute_of(&self, resource: &Resource, attribute: &str) -> Option<String> {
        let (id, environment) = (&resource.id, &self.environment);
        let name = |property| self.name_of(resource, property);
        Some(match (service_of(&resource.kind), attribute) {
            ("ApiGatewayV2::Api" | "Serverless::HttpApi", "ApiId") => api_id(id),
            ("ApiGatewayV2::Api" | "Serverless::HttpApi", "ApiEndpoint") => endpoint(&api_id(id)),
            ("ApiGatewayV2::Route", "RouteId")
            | ("ApiGatewayV2::Integration", "IntegrationId")
            | ("ApiGatewayV2::Authorizer", "AuthorizerId")
            | ("ApiGatewayV2::Deployment", "DeploymentId")
            | ("ApiGatewayV2::VpcLink", "VpcLinkId")
            | ("ApiGatewayV2::ApiMapping", "ApiMappingId") => id.to_string(),
            ("Lambda::Function" | "Serverless::Function", "Arn") => environment.function_arn(&name("FunctionName")),
            ("Lambda::Version", "Version") => "1".to_owned(),
            ("Lambda::Version", "FunctionArn") => format!("{}:1", self.function_of(resource)),
            ("IAM::Role", "Arn") => self.iam_arn(&name("RoleName")),
            ("SQS::Queue", "Arn") => environment.arn("sqs", &name("QueueName")),
            ("SQS::Queue", "QueueName") => name("QueueName"),
            ("SQS::Queue", "QueueUrl") => {
                let place = &resource.place;
                self.ref_of(resource, place).peek()?.to_owned()
            }
            ("SNS::Topic", "TopicArn") => environment.arn("sns", &name("TopicName")),
            ("SNS::Topic", "TopicName") => name("TopicName"),
            ("DynamoDB::Table" | "Serverless::SimpleTable", "Arn") => {
                environment.arn("dynamodb", &format!("table/{}", name("TableName")))
            }
            ("S3::Bucket", "Arn") => format!("arn:{}:s3:::{}", environment.partition(), name("BucketName")),
            ("Kinesis::Stream", "Arn") => environment.arn("kinesis", &format!("stream/{}", name("Name"))),
            ("Events::EventBus", "Arn") => environment.arn("events", &format!("event-bus/{}", name("Name"))),
            ("Logs::LogGroup", "Arn") => environment.arn("logs", &format!("log-group:{}:*", name("LogGroupName"))),
            ("SSM::Parameter", "Arn") => {
                let name = name("Name");
                environment.arn("ssm", &format!("parameter/{}", name.trim_start_matches('/')))
            }
            ("SSM::Parameter", "Value") => self.property(resource, "Value").peek()?.to_owned(),
            ("StepFunctions::StateMachine" | "Serverless::StateMachine", "Arn") => {
                let name = name(state_machine_name(&resource.kind));
                environment.arn("states", &format!("stateMachine:{name}"))
            }
            ("StepFunctions::StateMachine" | "Serverless::StateMachine", "Name") => {
                name(state_machine_name(&resource.kind))
            }
            _ => return None,
        })
    }

    /// The literal name of a resource where a property gives it, else its logical id. No suffix is drawn.
    pub(in crate::template) fn name_of(&self, resource: &Resource, property: &str) -> String {
        let key = format!("{}/{property}", resource.id);
        if let Some(known) = self.names.borrow().get(&key) {
            return known.clone().unwrap_or_else(|| resource.id.to_string());
        }
        self.names.borrow_mut().insert(key.clone(), None);
        let name = match self.property(resource, property).data {
            Data::Scalar(scalar) => scalar.text.to_string(),
            _ => resource.id.to_string(),
        };
        self.names.borrow_mut().insert(key, Some(name.clone()));
        name
    }

    /// The ARN of the function that an alias or a version is of.
    fn function_of(&self, resource: &Resource) -> String {
        let name = self.name_of(resource, "FunctionName");
        match name.starts_with("arn:") {
            true => name,
            false => self.environment.function_arn(&name),
        }
    }

    fn iam_arn(&self, role: &str) -> String {
        let environment = &self.environment;
        format!(
            "arn:{}:iam::{}:role/{role}",
            environment.partition(),
            environment.account_id
        )
    }

    /// What a name stands for that SAM makes.
    fn made_by_sam(&self, name: &str) -> Option<String> {
        let serverless = |id: &str, kind: &str| self.resource(id).filter(|resource| resource.kind == kind);
        let function = |id: &str| serverless(id, "AWS::Serverless::Function");
        if name == IMPLICIT_API && self.is_sam() {
            return Some(api_id(IMPLICIT_API));
        }
        if let Some((id, part)) = name.split_once('.') {
            return match part {
                "Alias" => {
                    let function = function(id)?;
                    let alias = self.property_with_globals(&function, "AutoPublishAlias");
                    let arn = self.environment.function_arn(&self.name_of(&function, "FunctionName"));
                    Some(format!("{arn}:{}", alias.peek()?))
                }
                "Version" => {
                    let arn = self
                        .environment
                        .function_arn(&self.name_of(&function(id)?, "FunctionName"));
                    Some(format!("{arn}:1"))
                }
                "Stage" => Some(self.stage_name(&serverless(id, "AWS::Serverless::HttpApi")?)),
                _ => None,
            };
        }
        if let Some(hash) = name.strip_prefix("ApiGatewayDomainNameV2") {
            let name = |api: Resource| {
                let domain = self.property_with_globals(&api, "Domain");
                domain.get("DomainName")?.peek().map(str::to_owned)
            };
            let resources = self.resources().into_iter();
            return resources
                .filter(|resource| resource.kind == "AWS::Serverless::HttpApi")
                .filter_map(name)
                .find(|name| sam_hash(name) == hash);
        }
        if let Some(id) = name.strip_suffix("Role")
            && function(id).is_some()
        {
            return Some(name.to_owned());
        }
        if let Some((id, alias)) = name.split_once("Alias")
            && let Some(function) = function(id)
        {
            let arn = self.environment.function_arn(&self.name_of(&function, "FunctionName"));
            return Some(format!("{arn}:{alias}"));
        }
        if let Some(id) = name.strip_suffix("ApiGatewayDefaultStage")
            && (id == IMPLICIT_API || serverless(id, "AWS::Serverless::HttpApi").is_some())
        {
            return Some("$default".to_owned());
        }
        let id = name.strip_suffix("Stage")?;
        let apis = self
            .resources()
            .into_iter()
            .filter(|resource| resource.kind == "AWS::Serverless::HttpApi");
        let mut stages = apis.map(|api| (format!("{}{}", api.id, self.stage_name(&api)), self.stage_name(&api)));
        stages.find(|(known, _)| known == id).map(|(_, stage)| stage)
    }

    /// The name of the stage that SAM makes for an API.
    pub(in crate::template) fn stage_name(&self, api: &Resource) -> String {
        match self.property(api, "StageName").peek() {
            Some(name) => name.to_owned(),
            None => "$default".to_owned(),
        }
    }
}

fn endpoint(api_id: &str) -> String {
    format!("http://{api_id}.{ENDPOINT_SUFFIX}")
}

fn service_of(kind: &str) -> &str {
    kind.strip_prefix("AWS::").unwrap_or(kind)
}

fn state_machine_name(kind: &str) -> &'static str {
    match kind {
        "AWS::Serverless::StateMachine" => "Name",
        _ => "StateMachineName",
    }
}

/// The property that names a resource, where `Ref` gives the name.
fn name_property(service: &str) -> Option<&'static str> {
    Some(match service {
        "DynamoDB::Table" | "Serverless::SimpleTable" => "TableName",
        "S3::Bucket" => "BucketName",
        "Logs::LogGroup" => "LogGroupName",
        "Kinesis::Stream" | "Events::EventBus" | "SSM::Parameter" => "Name",
        _ => return None,
    })
}
