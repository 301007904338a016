//! A Lambda function as its authors write it in Rust, with `lambda_http` and `lambda_runtime`. Like the scripted one it
//! is this test binary once more, see [`super::runtime`].

use lambda_http::{Body, Error, Request, RequestExt, Response, run, service_fn};

/// The test that is the function.
pub const TEST: &str = "support::rust_function::rust_function";

#[test]
fn rust_function() {
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(run(service_fn(handler))).unwrap();
    }
}

async fn handler(request: Request) -> Result<Response<Body>, Error> {
    let parameters = request.path_parameters();
    let id = parameters.first("id").ok_or("there is no id")?;
    let text = format!(
        "{} {id} {:?}",
        request.method(),
        request.query_string_parameters().first("q")
    );
    Ok(Response::builder()
        .status(201)
        .header("x-kind", "rust")
        .body(text.into())?)
}
