//! Steps of a request, in this process: `cargo bench --manifest-path bench/Cargo.toml`.
//!
//! They go through what the library offers everyone. A token that is remembered is looked up without the look at its
//! issuer's key, which would need an issuer that answers.

#![expect(
    clippy::unwrap_used,
    reason = "what is set up here holds, or there is nothing to measure"
)]

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use apigateway::data_plane::context_variables::{ContextVariables, RequestContext};
use apigateway::data_plane::integration::http_proxy;
use apigateway::data_plane::parameter_mapping::{MappedRequest, RequestSources};
use apigateway::data_plane::trusted_proxies::TrustedProxies;
use apigateway::definition::notation::path::RequestPath;
use apigateway::definition::unit::{File, Listing};
use apigateway::deployment::Deployment;
use apigateway::deployment::compiler::Compiler;
use apigateway::deployment::configuration::Configuration;
use apigateway::deployment::integration::Kind;
use apigateway::deployment::routes::RouteMatch;
use apigateway::http1::message::{Body, Headers, Method, Request, Version};
use apigateway::identity::caller::Caller;
use apigateway::identity::jwt::algorithm::Algorithm;
use apigateway::identity::jwt::key::{Found, KeySet, PublicKey};
use apigateway::identity::jwt::token_cache::{CachedToken, Digest, TokenCache};
use apigateway::identity::jwt::{self, Expectations};
use apigateway::identity::sigv4::{self, SignedRequest};
use apigateway::platform::clock::{Clock, Moment};
use apigateway_bench::api::Files;
use apigateway_bench::token::{self, Issued};
use divan::Bencher;
use ring::{digest, hmac};
use serde_json::{Value, json};

fn main() {
    divan::main();
}

/// Routes of a literal, and a variable each.
/// The one API of a root with so many routes.
fn deployment(routes: usize, mapping: Value) -> Arc<Deployment> {
    Arc::clone(configuration(routes, mapping).root_api().unwrap())
}

fn configuration(routes: usize, mapping: Value) -> Configuration {
    let mut files = Files::new();
    for number in 0..routes {
        let route = json!({"RouteKey": format!("GET /p{number}/pets/{{id}}"), "Target": "integrations/pets"});
        files.insert(format!("routes/p{number}.json"), route);
    }
    let integration = json!({
        "IntegrationType": "HTTP_PROXY",
        "IntegrationMethod": "ANY",
        "IntegrationUri": "http://127.0.0.1:9/v2/pets/{id}",
        "RequestParameters": mapping,
    });
    files.insert("integrations/pets.json".to_owned(), integration);
    files.insert("stages/$default.json".to_owned(), json!({}));
    let credential = json!({
        "AccessKeyId": ACCESS_KEY,
        "SecretAccessKey": SECRET,
        "UserArn": "arn:aws:iam::123456789012:user/ann",
        "UserId": "AIDACKCEVSQ6C2EXAMPLE",
    });
    files.insert("credentials.json".to_owned(), json!({"Credentials": [credential]}));
    let files = files.into_iter().map(|(path, json)| File::new(path, json.to_string()));
    Configuration::of(&Listing::of("", files)).0.unwrap()
}

fn select(deployment: &Deployment, path: &RequestPath) -> RouteMatch {
    let stage = deployment.default_stage().unwrap();
    stage.routes.select(Method::Get, path).unwrap().unwrap()
}

/// A request as browsers make them.
fn request() -> Request {
    let mut headers = Headers::new();
    for (name, value) in [
        ("host", "api.example.com"),
        (
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        ),
        ("accept", "application/json"),
        ("accept-encoding", "gzip, deflate, br"),
        ("accept-language", "en-GB,en;q=0.5"),
        ("cookie", "session=0123456789abcdef0123456789abcdef"),
        ("connection", "keep-alive"),
    ] {
        headers.append(name, value.as_bytes()).unwrap();
    }
    Request {
        client: None,
        tls: None,
        first_byte: None,
        method: "GET".to_owned(),
        path: "/p0/pets/7".to_owned(),
        query: Some("page=2&tag=dog".to_owned()),
        headers,
        version: Version::Http11,
        body: Body::Empty,
        head_length: 400,
        peer: SocketAddr::from(([127, 0, 0, 1], 50_000)),
        local: SocketAddr::from(([127, 0, 0, 1], 8_000)),
    }
}

/// The path is read, and the route found.
#[divan::bench(args = [1, 100, 10_000])]
fn route_selection(bencher: Bencher<'_, '_>, routes: usize) {
    let deployment = deployment(routes, json!({}));
    let path = format!("/p{}/pets/7", routes / 2);
    bencher.bench_local(|| select(&deployment, &RequestPath::parse(black_box(&path)).unwrap()));
}

/// What a request's beginning costs: its id, its time, its addresses.
#[divan::bench]
fn request_context(bencher: Bencher<'_, '_>) {
    let (clock, trusted, request) = (Clock::system(), TrustedProxies::default(), request());
    bencher.bench_local(|| RequestContext::begin(&clock, &trusted, black_box(&request), Moment::now()));
}

/// Path, query and header fields for the upstream.
#[divan::bench]
fn upstream_request(bencher: Bencher<'_, '_>) {
    let deployment = deployment(1, json!({}));
    let request = request();
    let path = RequestPath::parse(&request.path).unwrap();
    let route = select(&deployment, &path);
    let context = RequestContext::begin(&Clock::system(), &TrustedProxies::default(), &request, Moment::now());
    let Some(Kind::HttpProxy(proxy)) = route.route.integration.as_deref().map(|integration| &integration.kind) else {
        return;
    };
    bencher.bench_local(|| http_proxy::parts(&context, proxy, &route, &path, black_box(&request)).unwrap());
}

/// Five values of a mapping are read, one of them a text with three in it, and put into a request.
#[divan::bench]
fn parameter_mapping(bencher: Bencher<'_, '_>) {
    let mapping = json!({
        "overwrite:path": "/v3/${request.path.id}/${context.stage}/${request.querystring.tag}",
        "append:header.request": "$context.requestId",
        "overwrite:header.agent": "$request.header.user-agent",
        "append:querystring.page": "$request.querystring.page",
        "remove:querystring.tag": "''",
    });
    let deployment = deployment(1, mapping);
    let request = request();
    let path = RequestPath::parse(&request.path).unwrap();
    let route = select(&deployment, &path);
    let context = RequestContext::begin(&Clock::system(), &TrustedProxies::default(), &request, Moment::now());
    let values = ContextVariables {
        context: &context,
        request: &request,
        account_id: "123456789012",
        api_id: deployment.api_id(),
        stage: "$default",
        route_key: "GET /p0/pets/{id}",
        caller: &Caller::Anybody,
        integration: None,
        integration_error: None,
        answer: None,
    };
    let integration = route.route.integration.as_deref().unwrap();
    let Kind::HttpProxy(proxy) = &integration.kind else {
        return;
    };
    let sources = RequestSources {
        context: &values,
        path: &path,
        route: &route,
    };
    bencher
        .with_inputs(|| http_proxy::parts(&context, proxy, &route, &path, &request).unwrap())
        .bench_local_values(|mut parts| {
            let mapped = MappedRequest::read(&integration.request_mapping, &sources, &mut Body::Empty).unwrap();
            mapped.apply(&mut parts).unwrap();
            parts
        });
}

/// An issuer's token, its keys, and what a route expects.
struct Issuer {
    issued: Issued,
    keys: KeySet,
    audience: Vec<String>,
    now: Duration,
}

const ISSUER: &str = "https://idp.example.com";

impl Issuer {
    fn new() -> Issuer {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let issued = token::issue(ISSUER, now.as_secs() + 3600).unwrap();
        Issuer {
            keys: KeySet::parse(issued.keys.to_string().as_bytes()).unwrap(),
            issued,
            audience: vec![token::AUDIENCE.to_owned()],
            now,
        }
    }

    fn expectations(&self) -> Expectations<'_> {
        Expectations {
            issuer: ISSUER,
            audience: &self.audience,
            scopes: &[],
        }
    }

    fn key(&self, kid: &str, algorithm: Algorithm) -> Arc<PublicKey> {
        match self.keys.find(kid, algorithm) {
            Found::Key(key) => key,
            _ => unreachable!("the issuer has one key, of this name"),
        }
    }

    fn verify(&self) -> apigateway::identity::caller::Verified {
        let mut keys = |kid: &str, algorithm| Ok(self.key(kid, algorithm));
        jwt::verify(black_box(&self.issued.token), &mut keys, &self.expectations(), self.now).unwrap()
    }
}

/// A token, RS256, that was never seen.
#[divan::bench]
fn jwt_cold(bencher: Bencher<'_, '_>) {
    let issuer = Issuer::new();
    bencher.bench_local(|| issuer.verify());
}

/// A token that held before.
#[divan::bench]
fn jwt_remembered(bencher: Bencher<'_, '_>) {
    let issuer = Issuer::new();
    let tokens = TokenCache::new();
    let entry = CachedToken {
        verified: Arc::new(issuer.verify()),
        kid: token::KID.to_owned(),
        algorithm: Algorithm::Rs256,
        key: issuer.key(token::KID, Algorithm::Rs256),
    };
    tokens.remember(Digest::of(&issuer.issued.token, &issuer.expectations()), entry);
    bencher.bench_local(|| {
        let digest = Digest::of(black_box(&issuer.issued.token), &issuer.expectations());
        tokens.get(&digest, issuer.now).unwrap()
    });
}

const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const REGION: &str = "us-east-1";

/// A signed request without a body.
/// A root with so many APIs of five routes each, and as many domains of ten mappings.
fn many(apis: usize) -> Listing {
    let mut files = Vec::new();
    let mut add = |path: String, json: Value| files.push(File::new(path, json.to_string()));
    for api in 0..apis {
        let prefix = format!("apis/api{api}/");
        add(format!("{prefix}api.json"), json!({}));
        add(format!("{prefix}stages/$default.json"), json!({}));
        add(
            format!("{prefix}integrations/up.json"),
            json!({"IntegrationType": "HTTP_PROXY", "IntegrationUri": "http://127.0.0.1:9/"}),
        );
        for route in 0..5 {
            let json = json!({"RouteKey": format!("GET /r{route}/{{id}}"), "Target": "integrations/up"});
            add(format!("{prefix}routes/r{route}.json"), json);
        }
        let mapping =
            |key| json!({"ApiMappingKey": format!("k{key}/v1"), "ApiId": format!("api{api}"), "Stage": "$default"});
        let mappings: Vec<Value> = (0..10).map(mapping).collect();
        add(format!("domains/d{api}.test.json"), json!({"ApiMappings": mappings}));
    }
    Listing::of("", files)
}

/// Finding the API of a request among 200 APIs, 200 domains and 2,000 mappings, in each way, and in a root with one API.
#[divan::bench(args = ["d150.test /k7/v1/r1/7", "api150.execute-api.localhost /r1/7", "127.0.0.1:8000 /_aws/execute-api/api150/r1/7", "127.0.0.1:8000 /r1/7"])]
fn address_among_200_apis(bencher: Bencher<'_, '_>, request: &str) {
    let configuration = Configuration::of(&many(200)).0.unwrap();
    let (host, path) = request.split_once(' ').unwrap();
    bencher.bench_local(|| {
        let address = configuration.address(black_box(host.as_bytes()), black_box(path));
        address.target.is_ok()
    });
}

#[divan::bench]
fn address_with_one_api(bencher: Bencher<'_, '_>) {
    let configuration = configuration(5, json!({}));
    bencher.bench_local(|| {
        configuration
            .address(black_box(b"127.0.0.1:8000"), black_box("/p0/pets/7"))
            .target
            .is_ok()
    });
}

/// An edit of one route of 250, in a root of 40 APIs with 10,000 files.
#[divan::bench]
fn an_edit_among_10_000_files(bencher: Bencher<'_, '_>) {
    let mut files = Vec::new();
    for api in 0..40 {
        let prefix = format!("apis/api{api}/");
        files.push(File::new(format!("{prefix}api.json"), "{}"));
        files.push(File::new(format!("{prefix}stages/$default.json"), "{}"));
        for route in 0..124 {
            let integration = json!({"IntegrationType": "HTTP_PROXY", "IntegrationUri": "http://127.0.0.1:9/"});
            files.push(File::new(
                format!("{prefix}integrations/r{route}.json"),
                integration.to_string(),
            ));
            let json = json!({"RouteKey": format!("GET /r{route}/{{id}}"), "Target": format!("integrations/r{route}")});
            files.push(File::new(format!("{prefix}routes/r{route}.json"), json.to_string()));
        }
    }
    let mut listing = Listing::of("", files);
    let mut compiler = Compiler::default();
    assert!(!compiler.compile(&listing, true).problems.has_errors());
    let mut edit = 0;
    bencher.bench_local(|| {
        edit += 1;
        let json = json!({"RouteKey": format!("GET /edited{edit}"), "Target": "integrations/r7"});
        listing.put(File::new("apis/api7/routes/r7.json", json.to_string()));
        compiler.compile(black_box(&listing), false).units.len()
    });
}

#[divan::bench]
fn signature_version_4(bencher: Bencher<'_, '_>) {
    // 2026-07-10T19:19:05Z
    let now = UNIX_EPOCH + Duration::from_secs(0x6a51_45a9);
    let configuration = configuration(1, json!({}));
    let mut headers = request().headers;
    headers.append("x-amz-date", b"20260710T191905Z").unwrap();
    headers.append("authorization", authorization().as_bytes()).unwrap();
    let signed = SignedRequest {
        method: "GET",
        path: "/p0/pets/7",
        query: None,
        headers: &headers,
        body: b"",
    };
    bencher.bench_local(|| {
        let caller = sigv4::verify(
            black_box(&signed),
            configuration.credentials(),
            sigv4::Scope::execute_api(REGION),
            now,
        );
        caller.unwrap().account_id.len()
    });
}

/// The field that signs it.
fn authorization() -> String {
    let scope = format!("20260710/{REGION}/execute-api/aws4_request");
    let canonical = format!(
        "GET\n/p0/pets/7\n\nhost:api.example.com\nx-amz-date:20260710T191905Z\n\nhost;x-amz-date\n{}",
        hex(digest::digest(&digest::SHA256, b"").as_ref())
    );
    let hash = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
    let text = format!("AWS4-HMAC-SHA256\n20260710T191905Z\n{scope}\n{hash}");
    let mut key = format!("AWS4{SECRET}").into_bytes();
    for part in scope.split('/').chain([text.as_str()]) {
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), part.as_bytes());
        key = mac.as_ref().to_vec();
    }
    let signature = hex(&key);
    format!("AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{scope}, SignedHeaders=host;x-amz-date, Signature={signature}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
