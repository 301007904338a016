//! What the command line says of a template besides its file.

/// Options of a template; the defaults are those of the command.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `--parameter`: names and values of template parameters.
    pub parameters: Vec<(String, String)>,
    /// `--resolve`: what `Ref NAME`, `GetAtt NAME.Attribute` or `ImportValue:NAME` give.
    pub resolve: Vec<(String, String)>,
    /// `--stack-name`: `AWS::StackName`.
    pub stack_name: Option<String>,
    /// `--stack`: which stack of a `cdk.out`.
    pub stack: Option<String>,
    /// `--region`; default: that of the CDK stack, else `us-east-1`.
    pub region: Option<String>,
    /// `--account-id`; default: that of the CDK stack, else `123456789012`.
    pub account_id: Option<String>,
    /// `--basepath`: what becomes of the base path of an OpenAPI document (`R12.4`).
    pub base_path: BasePath,
    /// `--fail-on-warnings`: whether warnings of an OpenAPI document are errors.
    pub fail_on_warnings: bool,
    /// `--api`: the id of the API, where the document has one API.
    pub api: Option<String>,
    /// Whether functions that are not run here have somewhere to go.
    pub has_lambda_endpoint: bool,
}

/// What becomes of the base path of an OpenAPI document (`R12.4`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BasePath {
    /// It is left out.
    #[default]
    Ignore,
    /// All of it goes before each path.
    Prepend,
    /// All but its first segment goes before each path.
    Split,
}

impl BasePath {
    /// The mode of that name.
    pub fn named(name: &str) -> Option<BasePath> {
        match name {
            "ignore" => Some(BasePath::Ignore),
            "prepend" => Some(BasePath::Prepend),
            "split" => Some(BasePath::Split),
            _ => None,
        }
    }
}

/// What pseudo parameters stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// `AWS::Region`.
    pub region: String,
    /// `AWS::AccountId`.
    pub account_id: String,
    /// `AWS::StackName`.
    pub stack_name: String,
}

impl Environment {
    /// `AWS::Partition`.
    pub fn partition(&self) -> &'static str {
        if self.region.starts_with("cn-") {
            "aws-cn"
        } else if self.region.starts_with("us-gov-") {
            "aws-us-gov"
        } else {
            "aws"
        }
    }

    /// `AWS::URLSuffix`.
    pub fn url_suffix(&self) -> &'static str {
        match self.partition() {
            "aws-cn" => "amazonaws.com.cn",
            _ => "amazonaws.com",
        }
    }

    /// An ARN of the region and the account.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        let (partition, region, account) = (self.partition(), &self.region, &self.account_id);
        format!("arn:{partition}:{service}:{region}:{account}:{resource}")
    }

    /// The ARN of a function.
    pub fn function_arn(&self, name: &str) -> String {
        self.arn("lambda", &format!("function:{name}"))
    }

    /// The ARN that API Gateway invokes a function at.
    pub fn invocation_arn(&self, function_arn: &str) -> String {
        let (partition, region) = (self.partition(), &self.region);
        format!("arn:{partition}:apigateway:{region}:lambda:path/2015-03-31/functions/{function_arn}/invocations")
    }
}
