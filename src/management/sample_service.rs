//! The service that samples lead to: it greets, and echoes requests, whatever `--admin` is.

use crate::data_plane::error::GatewayError;
use crate::front::Handler;
use crate::http1::error::RequestError;
use crate::http1::message::{Request, Response};
use crate::management::admin::{answer, echo_page};

/// The host by which integrations reach it, with the port of `http://`. Names below `localhost` lead to this machine in
/// any case (RFC 6761 §6.3), so the name is taken from no service elsewhere.
pub const HOST: &str = "apigateway.localhost:80";

/// What `/welcome` answers.
const WELCOME: &str = "\
apigateway works: the route \"GET /\" led this request to an HTTP integration.

Try next:
  curl 'http://{host}/echo/pets?a=b'    what an HTTP integration gets
  curl 'http://{host}/hello/Rex'        what a Lambda function gets
  apigateway init pets                          an API of your own; stop this gateway (Ctrl-C) first

The files of this API are api.json, stages/, routes/, integrations/ and functions/.
An edit is served within a second.
";

/// The service.
#[derive(Debug)]
pub struct SampleService;

impl Handler for SampleService {
    fn handle(&self, request: Request) -> Response {
        match request.path.as_str() {
            "/welcome" => {
                let text = WELCOME.replace("{host}", client_host(&request).unwrap_or("127.0.0.1:8000"));
                answer("text/plain; charset=utf-8", text)
            }
            path if path == "/echo" || path.starts_with("/echo/") => echo_page(request),
            _ => GatewayError::NotFound.response(),
        }
    }

    fn refuse(&self, error: RequestError, _: &Request) -> Response {
        GatewayError::from(error).response()
    }
}

/// The host that the client has named, as the gateway's own element of `Forwarded` tells it (RFC 7239 §5.3).
fn client_host(request: &Request) -> Option<&str> {
    let forwarded = str::from_utf8(request.headers.get("forwarded")?).ok()?;
    let host = forwarded.rsplit_once("host=")?.1.split(';').next()?.trim_matches('"');
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".:-_[]".contains(&byte);
    (!host.is_empty() && host.bytes().all(is_allowed)).then_some(host)
}
