//! What stands in the query of a request must be text: the framework would put signs of replacement where it is none, and
//! somebody would be told what nobody has said.

use percent_encoding::percent_decode_str;
use poem::{Endpoint, EndpointExt};

use crate::problem::Problem;

/// An operation that refuses with 422 a query that is not UTF-8.
pub fn utf8_query(operation: impl Endpoint) -> impl Endpoint {
    operation.before(async |request| {
        match percent_decode_str(request.uri().query().unwrap_or_default()).decode_utf8() {
            Ok(_) => Ok(request),
            Err(_) => Err(Problem::invalid("the query is not UTF-8").into()),
        }
    })
}
