//! The page and its parts, as they are built into the program.

use std::fmt::Write;
use std::sync::OnceLock;

use ring::digest::{SHA256, digest};

use crate::http1::message::{Body, Headers, Request, Response};
use crate::management::console::answer::with_protection;

/// A part of the page.
struct Asset {
    path: &'static str,
    content_type: &'static str,
    content: &'static str,
    etag: OnceLock<String>,
}

static ASSETS: [Asset; 4] = [
    Asset {
        path: "/",
        content_type: "text/html; charset=utf-8",
        content: include_str!("index.html"),
        etag: OnceLock::new(),
    },
    Asset {
        path: "/console/app.js",
        content_type: "text/javascript; charset=utf-8",
        content: include_str!("app.js"),
        etag: OnceLock::new(),
    },
    Asset {
        path: "/console/app.css",
        content_type: "text/css; charset=utf-8",
        content: include_str!("app.css"),
        etag: OnceLock::new(),
    },
    Asset {
        path: "/console/icon.svg",
        content_type: "image/svg+xml",
        content: include_str!("icon.svg"),
        etag: OnceLock::new(),
    },
];

impl Asset {
    /// A name for the content.
    fn etag(&self) -> &str {
        self.etag.get_or_init(|| {
            let hash = digest(&SHA256, self.content.as_bytes());
            let mut etag = String::from("\"");
            for byte in hash.as_ref().iter().take(8) {
                // Writing to a string cannot fail.
                let _ = write!(etag, "{byte:02x}");
            }
            etag.push('"');
            etag
        })
    }
}

/// The answer to a request for a part of the page; none where its path names none.
pub(super) fn answer(request: &Request) -> Option<Response> {
    let asset = ASSETS.iter().find(|asset| asset.path == request.path)?;
    let mut headers = Headers::new();
    headers.put("etag", asset.etag());
    headers.put("cache-control", "no-cache");
    let is_known = request
        .headers
        .list("if-none-match")
        .any(|known| known == b"*" || known.strip_prefix(b"W/").unwrap_or(known) == asset.etag().as_bytes());
    let response = if !matches!(request.method.as_str(), "GET" | "HEAD") {
        headers = Headers::new();
        headers.put("allow", "GET, HEAD");
        Response {
            status: 405,
            headers,
            body: Body::Empty,
        }
    } else if is_known {
        Response {
            status: 304,
            headers,
            body: Body::Empty,
        }
    } else {
        headers.put("content-type", asset.content_type);
        Response {
            status: 200,
            headers,
            body: Body::Bytes(asset.content.into()),
        }
    };
    Some(with_protection(response))
}
