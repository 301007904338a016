//! The options of the commands besides `serve`.

use argh::{ArgsInfo, FromArgs};

/// Make a small API: a stage, a route to an HTTP service, and a function. Nothing is overwritten.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "init",
    example = "apigateway init pets\napigateway init pets --from openapi.yaml"
)]
pub(crate) struct InitArguments {
    /// directory that the files are written to, which is made if it is missing; default: .
    #[argh(positional)]
    pub(crate) dir: Option<String>,

    /// SAM or CloudFormation template, cdk.out, OpenAPI document, or what the AWS CLI has printed, whose API is written instead
    #[argh(option, arg_name = "file")]
    pub(crate) from: Option<String>,

    /// what the function is written in: python or node; default: python where python3 is found, else node
    #[argh(option, arg_name = "language")]
    pub(crate) language: Option<String>,
}

/// Print what makes a shell complete commands and options.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "completions",
    example = "source <(apigateway completions bash)\napigateway completions zsh > ~/.zfunc/_apigateway\napigateway completions fish > ~/.config/fish/completions/apigateway.fish"
)]
pub(crate) struct CompletionsArguments {
    /// bash, zsh or fish
    #[argh(positional)]
    pub(crate) shell: String,
}

/// Print the manual page.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "man",
    example = "apigateway man > ~/.local/share/man/man1/apigateway.1"
)]
pub(crate) struct ManArguments {}

/// Read and compile the same files, print every problem, serve nothing.
#[derive(FromArgs, ArgsInfo, Default)]
#[argh(subcommand, name = "check", example = "apigateway check --root pets")]
pub(crate) struct CheckArguments {
    /// directory that holds stages/, routes/ and integrations/; default: .
    #[argh(option, arg_name = "dir")]
    pub(crate) root: Option<String>,

    /// how problems are printed: text or json; default: text
    #[argh(option, arg_name = "format")]
    pub(crate) format: Option<String>,

    /// SAM or CloudFormation template, cdk.out, OpenAPI document, or folder with one, that is read instead of the files
    #[argh(option, arg_name = "file")]
    pub(crate) template: Option<String>,

    /// value of a parameter of the template, as NAME=VALUE; may be repeated
    #[argh(option, arg_name = "name=value")]
    pub(crate) parameter: Vec<String>,

    /// what Ref NAME, GetAtt NAME.Attribute or ImportValue:NAME of the template give, as NAME=VALUE; may be repeated
    #[argh(option, arg_name = "name=value")]
    pub(crate) resolve: Vec<String>,

    /// AWS::StackName of the template; default: the CDK stack's, else local
    #[argh(option, arg_name = "name")]
    pub(crate) stack_name: Option<String>,

    /// stack of a cdk.out, where several have an HTTP API
    #[argh(option, arg_name = "name")]
    pub(crate) stack: Option<String>,

    /// base path of an OpenAPI document: ignore, prepend or split; default: ignore
    #[argh(option, arg_name = "mode")]
    pub(crate) basepath: Option<String>,

    /// take warnings of an OpenAPI document for errors
    #[argh(switch)]
    pub(crate) fail_on_warnings: bool,

    /// AWS region of serve, with which those of the files are compared; default: us-east-1
    #[argh(option, arg_name = "name")]
    pub(crate) region: Option<String>,

    /// AWS account of serve, with which those of the files are compared; default: 123456789012
    #[argh(option, arg_name = "id")]
    pub(crate) account_id: Option<String>,
}

/// Show what is served, or which route would answer a request.
#[derive(FromArgs, ArgsInfo, Default)]
#[argh(
    subcommand,
    name = "routes",
    example = "apigateway routes --root pets --match \"GET /hello/Rex\""
)]
pub(crate) struct RoutesArguments {
    /// directory that holds stages/, routes/ and integrations/; default: .
    #[argh(option, arg_name = "dir")]
    pub(crate) root: Option<String>,

    /// tell which route would answer this, why, and with which variables: "GET /v0/pets/7", or with a whole URL
    #[argh(option, long = "match", arg_name = "request")]
    pub(crate) request: Option<String>,

    /// how it is printed: text or json; default: text
    #[argh(option, arg_name = "format")]
    pub(crate) format: Option<String>,

    /// SAM or CloudFormation template, cdk.out, OpenAPI document, or folder with one, that is read instead of the files
    #[argh(option, arg_name = "file")]
    pub(crate) template: Option<String>,

    /// value of a parameter of the template, as NAME=VALUE; may be repeated
    #[argh(option, arg_name = "name=value")]
    pub(crate) parameter: Vec<String>,

    /// what Ref NAME, GetAtt NAME.Attribute or ImportValue:NAME of the template give, as NAME=VALUE; may be repeated
    #[argh(option, arg_name = "name=value")]
    pub(crate) resolve: Vec<String>,

    /// AWS::StackName of the template; default: the CDK stack's, else local
    #[argh(option, arg_name = "name")]
    pub(crate) stack_name: Option<String>,

    /// stack of a cdk.out, where several have an HTTP API
    #[argh(option, arg_name = "name")]
    pub(crate) stack: Option<String>,

    /// base path of an OpenAPI document: ignore, prepend or split; default: ignore
    #[argh(option, arg_name = "mode")]
    pub(crate) basepath: Option<String>,

    /// take warnings of an OpenAPI document for errors
    #[argh(switch)]
    pub(crate) fail_on_warnings: bool,

    /// AWS::Region of the template; default: us-east-1
    #[argh(option, arg_name = "name")]
    pub(crate) region: Option<String>,

    /// AWS::AccountId of the template; default: 123456789012
    #[argh(option, arg_name = "id")]
    pub(crate) account_id: Option<String>,
}

/// Write a template, an OpenAPI document, or what the AWS CLI prints, as the files that a person would write.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "import", example = "apigateway import template.yaml --root pets")]
pub(crate) struct ImportArguments {
    /// SAM or CloudFormation template, cdk.out, OpenAPI document, or what the AWS CLI has printed; or a folder with one
    #[argh(positional)]
    pub(crate) file: String,

    /// directory that the files are written to; default: .
    #[argh(option, arg_name = "dir")]
    pub(crate) root: Option<String>,

    /// put the API below apis/ID/, where there is one
    #[argh(option, arg_name = "id")]
    pub(crate) api: Option<String>,

    /// replace an API that is there
    #[argh(switch)]
    pub(crate) replace: bool,

    /// value of a parameter of the template, as NAME=VALUE; may be repeated
    #[argh(option, arg_name = "name=value")]
    pub(crate) parameter: Vec<String>,

    /// what Ref NAME, GetAtt NAME.Attribute or ImportValue:NAME of the template give, as NAME=VALUE; may be repeated
    #[argh(option, arg_name = "name=value")]
    pub(crate) resolve: Vec<String>,

    /// AWS::StackName of the template; default: the CDK stack's, else local
    #[argh(option, arg_name = "name")]
    pub(crate) stack_name: Option<String>,

    /// stack of a cdk.out, where several have an HTTP API
    #[argh(option, arg_name = "name")]
    pub(crate) stack: Option<String>,

    /// base path of an OpenAPI document: ignore, prepend or split; default: ignore
    #[argh(option, arg_name = "mode")]
    pub(crate) basepath: Option<String>,

    /// take warnings of an OpenAPI document for errors
    #[argh(switch)]
    pub(crate) fail_on_warnings: bool,

    /// AWS::Region of the template; default: us-east-1
    #[argh(option, arg_name = "name")]
    pub(crate) region: Option<String>,

    /// AWS::AccountId of the template; default: 123456789012
    #[argh(option, arg_name = "id")]
    pub(crate) account_id: Option<String>,
}

/// Print an API as OpenAPI 3.0.1.
#[derive(FromArgs, ArgsInfo, Default)]
#[argh(
    subcommand,
    name = "export",
    example = "apigateway export --root pets > openapi.yaml"
)]
pub(crate) struct ExportArguments {
    /// directory that holds stages/, routes/ and integrations/; default: .
    #[argh(option, arg_name = "dir")]
    pub(crate) root: Option<String>,

    /// SAM or CloudFormation template, cdk.out, OpenAPI document, or folder with one, that is read instead of the files
    #[argh(option, arg_name = "file")]
    pub(crate) template: Option<String>,

    /// which API, where there are several
    #[argh(option, arg_name = "id")]
    pub(crate) api: Option<String>,

    /// stage whose address stands in servers, and whose routes are printed
    #[argh(option, arg_name = "name")]
    pub(crate) stage: Option<String>,

    /// yaml or json; default: yaml
    #[argh(option, arg_name = "format")]
    pub(crate) format: Option<String>,

    /// leave out what OpenAPI itself does not have
    #[argh(switch)]
    pub(crate) no_extensions: bool,

    /// add the ids of files, so that import gives them back
    #[argh(switch)]
    pub(crate) ids: bool,

    /// value of a parameter of the template, as NAME=VALUE; may be repeated
    #[argh(option, arg_name = "name=value")]
    pub(crate) parameter: Vec<String>,

    /// what Ref NAME, GetAtt NAME.Attribute or ImportValue:NAME of the template give, as NAME=VALUE; may be repeated
    #[argh(option, arg_name = "name=value")]
    pub(crate) resolve: Vec<String>,

    /// AWS::StackName of the template; default: the CDK stack's, else local
    #[argh(option, arg_name = "name")]
    pub(crate) stack_name: Option<String>,

    /// stack of a cdk.out, where several have an HTTP API
    #[argh(option, arg_name = "name")]
    pub(crate) stack: Option<String>,

    /// AWS::Region of the template; default: us-east-1
    #[argh(option, arg_name = "name")]
    pub(crate) region: Option<String>,

    /// AWS::AccountId of the template; default: 123456789012
    #[argh(option, arg_name = "id")]
    pub(crate) account_id: Option<String>,
}
