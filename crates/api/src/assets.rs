//! The dashboard as files in the binary, served with a strict content security policy.

use axum::{
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{Html, IntoResponse, Response},
};
use shieldops_model::Code;

use crate::Problem;

/// One built file.
#[derive(Debug, Clone, Copy)]
pub struct Asset {
    /// With its leading slash: `/assets/index-1a2b.js`.
    pub path: &'static str,
    pub bytes: &'static [u8],
    /// The same, compressed by brotli when the dashboard was built.
    pub brotli: Option<&'static [u8]>,
    pub content_type: &'static str,
    pub etag: &'static str,
}

const UNBUILT: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>ShieldOps</title>\
<body><h1>The dashboard is not built into this binary</h1><p>Run <code>make build</code>, which builds the dashboard first. \
The API works: see <a href=/api/v1/openapi.json>its description</a>.</p>";

/// Serves a file, or the page for every path that is a page's. Paths of the API and of senders never fall through to it.
pub(crate) fn serve(assets: &'static [Asset], method: &Method, uri: &Uri, headers: &HeaderMap) -> Response {
    let path = uri.path();
    if path.starts_with("/api/") || path.starts_with("/services/") || path.starts_with("/_") {
        return Problem::not_found().into_response();
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Problem::new(Code::METHOD_NOT_ALLOWED, "this path is read with GET").into_response();
    }
    if let Some(asset) = assets.iter().find(|asset| asset.path == path && path != "/index.html") {
        return file(asset, headers);
    }
    // A file that is gone is gone: no page in its place.
    if path.starts_with("/assets/") || path.contains('.') {
        return Problem::not_found().into_response();
    }
    page(assets)
}

fn file(asset: &Asset, headers: &HeaderMap) -> Response {
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|etag| etag.as_bytes() == asset.etag.as_bytes());
    let takes_brotli = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("br"));
    let mut response = match (known, asset.brotli) {
        (true, _) => StatusCode::NOT_MODIFIED.into_response(),
        (false, Some(packed)) if takes_brotli => ([(header::CONTENT_ENCODING, "br")], packed).into_response(),
        (false, _) => asset.bytes.into_response(),
    };
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    out.insert(header::ETAG, HeaderValue::from_static(asset.etag));
    out.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    let forever = asset.path.starts_with("/assets/");
    out.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static(if forever { "public, max-age=31536000, immutable" } else { "no-cache" }),
    );
    harden(out);
    response
}

/// The page, with a fresh nonce in place of `__CSP_NONCE__`.
fn page(assets: &[Asset]) -> Response {
    let index =
        assets.iter().find(|asset| asset.path == "/index.html").and_then(|asset| std::str::from_utf8(asset.bytes).ok());
    let Some(index) = index else { return Html(UNBUILT).into_response() };
    let nonce = hex::encode(rand::random::<[u8; 16]>());
    let mut response = Html(index.replace("__CSP_NONCE__", &nonce)).into_response();
    let policy = format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; style-src-attr 'none'; img-src 'self' data:; \
         font-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'"
    );
    let out = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        out.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    harden(out);
    response
}

/// Headers that every answer of ours carries to a browser.
pub(crate) fn harden(headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
}
