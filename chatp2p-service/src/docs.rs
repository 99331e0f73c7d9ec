//! `/docs` for people and `/openapi.json` for programs. Complete with no internet: everything comes from the binary.

use poem::http::{HeaderValue, header};
use poem::web::Redirect;
use poem::{Endpoint, EndpointExt, Response, Route, endpoint::make_sync, get};
use poem_openapi::{OpenApi, OpenApiService, Webhook};

/// Swagger UI sets styles on its elements and draws its icons from `data:`; it needs no inline script and no other host.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Without a validator badge: Swagger's own would ask its makers' server about every specification.
const START: &str = "SwaggerUIBundle({ url: 'openapi.json', dom_id: '#ui', deepLinking: true, validatorUrl: null });\n";

/// At and below which paths the documentation is.
pub const PATHS: &[&str] = &["/docs", "/openapi.json"];

/// The pieces of the page that poem-openapi embeds as one, whose inline scripts a strict policy would have to allow.
struct Pieces {
    script: String,
    style: String,
}

impl Pieces {
    fn cut(html: &str) -> Option<Self> {
        let between = |open: &str, close: &str| Some(html.split_once(open)?.1.split_once(close)?.0.to_owned());
        Some(Self {
            script: between(r#"<script charset="UTF-8">"#, "</script>")?,
            style: between(r#"<style charset="UTF-8">"#, "</style>")?,
        })
    }
}

/// Adds `/docs` and `/openapi.json` to the routes of a service.
pub fn routes<T: OpenApi + 'static, W: Webhook + 'static>(
    routes: Route,
    service: &OpenApiService<T, W>,
    title: &str,
) -> Route {
    let pieces = Pieces::cut(&service.swagger_ui_html());
    let (script, style) = pieces.map(|pieces| (pieces.script, pieces.style)).unwrap_or_default();
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n<link rel=\"stylesheet\" href=\"docs/swagger-ui.css\">\n</head>\n\
         <body>\n<div id=\"ui\"></div>\n<script src=\"docs/swagger-ui.js\"></script>\n\
         <script src=\"docs/start.js\"></script>\n</body>\n</html>\n"
    );
    routes
        .at("/openapi.json", get(constant("application/json", service.spec())))
        .at("/docs", get(constant("text/html; charset=utf-8", page)))
        // The page's own addresses are relative, so that it works behind a proxy that adds a prefix.
        .at("/docs/", get(make_sync(|_| Redirect::permanent("../docs"))))
        .at("/docs/swagger-ui.js", get(constant("text/javascript; charset=utf-8", script)))
        .at("/docs/swagger-ui.css", get(constant("text/css; charset=utf-8", style)))
        .at("/docs/start.js", get(constant("text/javascript; charset=utf-8", START.to_owned())))
}

fn constant(content_type: &'static str, body: String) -> impl Endpoint {
    let body = bytes::Bytes::from(body);
    make_sync(move |_| {
        Response::builder()
            .content_type(content_type)
            .header(header::CONTENT_SECURITY_POLICY, POLICY)
            .header(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))
            .body(body.clone())
    })
    .map_to_response()
}
