//! Says in the document what each operation needs, out of the one table that decides it ([`need`]), and how those refuse that
//! have a body or a part of the path to read: by hand, one operation or the other would say something else one day.

use std::collections::HashMap;

use chatp2p_service::Problem;
use chatp2p_service::problem::PROBLEM_JSON;
use poem::endpoint::BoxEndpoint;
use poem::http::Method;
use poem_openapi::OpenApi;
use poem_openapi::registry::{
    MetaApi, MetaMediaType, MetaOperation, MetaParamIn, MetaResponse, MetaSecurityScheme, Registry,
};
use poem_openapi::types::Type;

use crate::access::{Need, Scope, need};

/// What the document calls it.
const SCHEME: &str = "token";

/// An API whose operations say which token they need.
pub(crate) struct Secured<A>(pub(super) A);

impl<A: OpenApi> OpenApi for Secured<A> {
    fn meta() -> Vec<MetaApi> {
        let mut apis = A::meta();
        for path in apis.iter_mut().flat_map(|api| &mut api.paths) {
            for operation in &mut path.operations {
                declare_reading(operation);
                if let Need::Token(scope) = need(&operation.method, &path.path) {
                    declare(operation, scope);
                }
            }
        }
        apis
    }

    fn register(registry: &mut Registry) {
        A::register(registry);
        registry.create_security_scheme(
            SCHEME,
            MetaSecurityScheme {
                ty: "http",
                description: Some(
                    "A token of `chatp2p-peer token create`. Asked for with `--require-token` and beyond this machine; a wrong one is \
                     refused everywhere.",
                ),
                name: None,
                key_in: None,
                scheme: Some("bearer"),
                bearer_format: None,
                flows: None,
                openid_connect_url: None,
            },
        );
    }

    fn add_routes(self, routes: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {
        self.0.add_routes(routes);
    }
}

fn declare(operation: &mut MetaOperation, scope: Scope) {
    // A token, or none where none is asked for.
    operation.security = vec![HashMap::from([(SCHEME, Vec::new())]), HashMap::new()];
    operation.responses.responses.retain(|response| response.status != Some(403));
    for (status, description) in [
        (401, "`token_required`: there is no token and one is asked for; `token_invalid`: what was presented is none."),
        (403, too_small(scope)),
        (429, "`too_many_failures`: too many wrong tokens came from there. `Retry-After` says how long to wait."),
    ] {
        refuse(operation, status, description);
    }
}

/// Where an operation says more about one of these, that stays.
fn declare_reading(operation: &mut MetaOperation) {
    if operation.request.is_some() {
        refuse(operation, 408, "`request_timeout`: the body did not come within 20 seconds.");
        refuse(operation, 413, "`body_too_large`: the body is longer than 64 KiB.");
        refuse(operation, 415, "The body is not `application/json`.");
    }
    if operation.params.iter().any(|parameter| parameter.in_type == MetaParamIn::Path) {
        refuse(operation, 422, "A part of the path is not UTF-8.");
    }
}

fn refuse(operation: &mut MetaOperation, status: u16, description: &'static str) {
    let responses = &mut operation.responses.responses;
    if responses.iter().all(|response| response.status != Some(status)) {
        responses.push(MetaResponse {
            description,
            status: Some(status),
            status_range: None,
            content: vec![MetaMediaType { content_type: PROBLEM_JSON, schema: Problem::schema_ref() }],
            headers: Vec::new(),
        });
    }
}

const fn too_small(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => {
            "`foreign_origin`: a web page of another origin sent it. Any token will do: the scope is `read`."
        }
        Scope::Send => {
            "`foreign_origin`: a web page of another origin sent it; `scope_too_small`: the token's scope is not `send` or larger."
        }
        Scope::Admin => {
            "`foreign_origin`: a web page of another origin sent it; `scope_too_small`: the token's scope is not `admin`."
        }
    }
}
