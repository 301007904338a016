//! The options of `serve`, and what the values of options may be.

use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use apigateway::data_plane::access_log::Destination;
use apigateway::definition::notation::arn;
use apigateway::front::listener_limits::Limits;
use apigateway::outbound::upstream::url::Url;
use apigateway::server::FrontKind;
use argh::{ArgsInfo, FromArgs};

/// What the names of environment variables begin with.
const ENVIRONMENT_PREFIX: &str = "APIGATEWAY_";

/// Serve the API found under the root.
#[derive(FromArgs, ArgsInfo, Default)]
#[argh(
    subcommand,
    name = "serve",
    example = "apigateway --root pets --listen 0.0.0.0:8000 --trusted-proxy 10.0.0.0/8\napigateway serve --template template.yaml --parameter Stage=dev"
)]
pub(crate) struct ServeArguments {
    /// directory that holds stages/, routes/ and integrations/; default: .
    #[argh(option, arg_name = "dir")]
    pub(crate) root: Option<String>,

    /// SAM or CloudFormation template, cdk.out, OpenAPI document, or folder with one, that is served instead of the files
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

    /// HOST:PORT of the API, or PORT on loopback, 0 picks a free one; default: 127.0.0.1:8000
    #[argh(option, arg_name = "address")]
    pub(crate) listen: Option<String>,

    /// PEM file of a certificate chain, leaf first: with it, the API is served by HTTPS and by nothing else
    #[argh(option, arg_name = "file")]
    pub(crate) tls_certificate: Option<String>,

    /// PEM file of that certificate's key
    #[argh(option, arg_name = "file")]
    pub(crate) tls_key: Option<String>,

    /// HOST:PORT of the management pages, or PORT on loopback, or off; default: 127.0.0.1:8001
    #[argh(option, arg_name = "address")]
    pub(crate) admin: Option<String>,

    /// whether tools configure APIs by AWS's own calls at the management pages: off, open, or signed (by administrators); default: open on loopback, else signed
    #[argh(option, arg_name = "mode")]
    pub(crate) control_plane: Option<String>,

    /// what such calls answer as the URL of an API, with {ApiId} and {Region} put in; default: http://{ApiId}.execute-api.localhost:PORT
    #[argh(option, arg_name = "url")]
    pub(crate) public_url: Option<String>,

    /// further name under which such calls may be sent; may be repeated
    #[argh(option, arg_name = "name")]
    pub(crate) admin_host: Vec<String>,

    /// whether the management pages have the console, a page at /: on or off; default: on on loopback, else off
    #[argh(option, arg_name = "on|off")]
    pub(crate) console: Option<String>,

    /// when the console captures heads and bodies of requests: auto (while a page watches), always, or off; default: auto
    #[argh(option, arg_name = "mode")]
    pub(crate) capture: Option<String>,

    /// keep secrets in what the console captures, which only a management listener on loopback may
    #[argh(switch)]
    pub(crate) capture_secrets: bool,

    /// most workers, which answer requests that have to wait for something; default: 512
    #[argh(option, arg_name = "n")]
    pub(crate) workers: Option<String>,

    /// threads that serve clients without waiting, 0 to 256; with 0, workers answer all requests; default: one for each processor
    #[argh(option, arg_name = "n")]
    pub(crate) loops: Option<String>,

    /// open client connections; one more closes the one that is idle for longest, or is answered 503; default: 10000
    #[argh(option, arg_name = "n")]
    pub(crate) max_connections: Option<String>,

    /// file that gets a line for each request, - for stdout, or off; default: -
    #[argh(option, arg_name = "file")]
    pub(crate) access_log: Option<String>,

    /// PEM file of authorities, or servers' own certificates, that are trusted for upstream TLS besides the built-in roots
    #[argh(option, arg_name = "file")]
    pub(crate) upstream_ca: Option<String>,

    /// seconds after which the name of an upstream is looked up again; default: 5
    #[argh(option, arg_name = "seconds")]
    pub(crate) dns_ttl: Option<String>,

    /// URL of what invokes functions without a file in functions/
    #[argh(option, arg_name = "url")]
    pub(crate) lambda_endpoint: Option<String>,

    /// URL that AWS's services are called at, instead of theirs
    #[argh(option, arg_name = "url")]
    pub(crate) aws_endpoint_url: Option<String>,

    /// proxy whose X-Forwarded-* or Forwarded say the client's address, scheme, host and port, as 10.0.0.0/8 or one address; may be repeated
    #[argh(option, arg_name = "cidr")]
    pub(crate) trusted_proxy: Vec<String>,

    /// AWS region in ARNs and signatures; default: us-east-1
    #[argh(option, arg_name = "name")]
    pub(crate) region: Option<String>,

    /// AWS account that $context.accountId names; default: 123456789012
    #[argh(option, arg_name = "id")]
    pub(crate) account_id: Option<String>,
    /// seconds from a request's first byte until its head is whole; else 408 and close; default: 10
    #[argh(option, arg_name = "seconds")]
    pub(crate) head_timeout: Option<String>,

    /// seconds that a request's body may be silent, and after which it must have come at 8 KiB a second on average; else 408 and close; default: 30
    #[argh(option, arg_name = "seconds")]
    pub(crate) body_timeout: Option<String>,

    /// seconds that a connection may stay open between requests; default: 75
    #[argh(option, arg_name = "seconds")]
    pub(crate) idle_timeout: Option<String>,

    /// seconds that a client may take nothing of an answer before its connection is cut; default: 30
    #[argh(option, arg_name = "seconds")]
    pub(crate) write_timeout: Option<String>,

    /// what listens to clients, own or tiny-http; default: own
    #[cfg(feature = "tiny_http")]
    #[argh(option, arg_name = "name")]
    pub(crate) front: Option<String>,

    /// URL of a Valkey or Redis through which many gateways have one limit; default: none
    #[cfg(feature = "fleet")]
    #[argh(option, arg_name = "url")]
    pub(crate) valkey: Option<String>,

    /// file with the password for it, read on each connect; APIGATEWAY_VALKEY_PASSWORD has the password itself
    #[cfg(feature = "fleet")]
    #[argh(option, arg_name = "file")]
    pub(crate) valkey_password_file: Option<String>,

    /// PEM file of roots that are trusted for it, instead of those of --upstream-ca, besides the built-in ones
    #[cfg(feature = "fleet")]
    #[argh(option, arg_name = "file")]
    pub(crate) valkey_ca: Option<String>,

    /// what its keys begin with, 1 to 64 of A-Z a-z 0-9 . _ - and colons; default: apigateway:
    #[cfg(feature = "fleet")]
    #[argh(option, arg_name = "text")]
    pub(crate) valkey_prefix: Option<String>,

    /// milliseconds that a request waits for it at most, 1 to 1000; default: 25
    #[cfg(feature = "fleet")]
    #[argh(option, arg_name = "n")]
    pub(crate) valkey_timeout_ms: Option<String>,

    /// what is logged on stderr: error, warn, info or debug; default: info
    #[argh(option, arg_name = "level")]
    pub(crate) log_level: Option<String>,

    /// how that is written: text or json; default: text on a terminal, else json
    #[argh(option, arg_name = "format")]
    pub(crate) log_format: Option<String>,

    /// seconds that a stop waits for requests in flight; default: 25
    #[argh(option, arg_name = "seconds")]
    pub(crate) grace: Option<String>,
}

/// The value of an option: the flag's, else the environment's, else the default.
pub(crate) fn option<T: FromStr>(name: &str, flag: Option<String>, default: T, wanted: &str) -> Result<T, String> {
    let variable = format!(
        "{ENVIRONMENT_PREFIX}{}",
        name.trim_start_matches('-').replace('-', "_").to_uppercase()
    );
    let (source, text) = match flag {
        Some(text) => (name, text),
        None => match std::env::var_os(&variable) {
            Some(value) => match value.into_string() {
                Ok(text) => (variable.as_str(), text),
                Err(value) => return Err(format!("{variable}: {} is not UTF-8", value.display())),
            },
            None => return Ok(default),
        },
    };
    text.parse().map_err(|_| format!("{source}: {text:?} is not {wanted}"))
}

pub(crate) fn root(flag: Option<String>) -> Result<String, String> {
    option("--root", flag, ".".to_owned(), "a directory")
}

/// A URL below which functions are invoked.
pub(crate) struct Endpoint(pub(crate) Option<Url>);

impl FromStr for Endpoint {
    type Err = ();

    fn from_str(text: &str) -> Result<Endpoint, ()> {
        let uri = Url::parse(text).map_err(|_| ())?;
        if uri.query.is_some() {
            Err(())
        } else {
            Ok(Endpoint(Some(uri)))
        }
    }
}

/// The request of `--match`; none where it is not given, for which an empty text does not stand.
pub(crate) struct Match(pub(crate) Option<String>);

impl FromStr for Match {
    type Err = ();

    fn from_str(text: &str) -> Result<Match, ()> {
        (!text.is_empty()).then(|| Match(Some(text.to_owned()))).ok_or(())
    }
}

/// Where to listen: a host and a port.
///
/// A port alone, with or without a colon, is one of loopback: only a host that is named opens a port to the network.
pub(crate) struct Address(pub(crate) String);

impl FromStr for Address {
    type Err = ();

    fn from_str(text: &str) -> Result<Address, ()> {
        let port = text.strip_prefix(':').unwrap_or(text);
        if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Address(text.to_owned()));
        }
        let port: u16 = port.parse().map_err(|_| ())?;
        Ok(Address(format!("127.0.0.1:{port}")))
    }
}

/// An AWS region, as it stands in ARNs.
pub(crate) struct Region(pub(crate) Option<String>);

impl FromStr for Region {
    type Err = ();

    fn from_str(text: &str) -> Result<Region, ()> {
        arn::is_region(text).then(|| Region(Some(text.to_owned()))).ok_or(())
    }
}

/// An AWS account, whose id is twelve digits in every ARN.
pub(crate) struct AccountId(pub(crate) String);

impl FromStr for AccountId {
    type Err = ();

    fn from_str(text: &str) -> Result<AccountId, ()> {
        arn::is_account_id(text).then(|| AccountId(text.to_owned())).ok_or(())
    }
}

pub(crate) fn access_log(flag: Option<String>) -> Result<Destination, String> {
    let text = option("--access-log", flag, "-".to_owned(), "a file")?;
    match text.as_str() {
        "" => Err("--access-log: \"\" is not a file".to_owned()),
        "-" => Ok(Destination::Stdout),
        "off" => Ok(Destination::Off),
        file => Ok(Destination::File(file.into())),
    }
}

/// Seconds above 0.
pub(crate) fn seconds(name: &str, flag: Option<String>, default: Duration) -> Result<Duration, String> {
    let default = u32::try_from(default.as_secs()).ok().and_then(NonZeroU32::new);
    let seconds = option(
        name,
        flag,
        default.unwrap_or(NonZeroU32::MIN),
        "a whole number of seconds above 0",
    )?;
    Ok(Duration::from_secs(seconds.get().into()))
}

pub(crate) fn limits(arguments: &mut ServeArguments) -> Result<Limits, String> {
    let default = Limits::default();
    Ok(Limits {
        max_connections: option(
            "--max-connections",
            arguments.max_connections.take(),
            default.max_connections,
            "a whole number above 0",
        )?,
        head_timeout: seconds("--head-timeout", arguments.head_timeout.take(), default.head_timeout)?,
        body_timeout: seconds("--body-timeout", arguments.body_timeout.take(), default.body_timeout)?,
        idle_timeout: seconds("--idle-timeout", arguments.idle_timeout.take(), default.idle_timeout)?,
        write_timeout: seconds("--write-timeout", arguments.write_timeout.take(), default.write_timeout)?,
        ..default
    })
}

#[cfg(not(feature = "tiny_http"))]
pub(crate) fn front(_: &mut ServeArguments) -> Result<FrontKind, String> {
    Ok(FrontKind::Own)
}

#[cfg(feature = "tiny_http")]
pub(crate) fn front(arguments: &mut ServeArguments) -> Result<FrontKind, String> {
    match option("--front", arguments.front.take(), "own".to_owned(), "a front")?.as_str() {
        "own" => Ok(FrontKind::Own),
        "tiny-http" => Ok(FrontKind::TinyHttp),
        other => Err(format!("--front: {other:?} is neither own nor tiny-http")),
    }
}
