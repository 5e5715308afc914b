//! Which of several servers answers.

use crate::cluster::NodeId;
use warp::{
    http::{HeaderName, HeaderValue},
    reply::Response,
};

const NODE: HeaderName = HeaderName::from_static("countersign-node");

/// The one header that a page can read of the answer that brought itself.
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Says which node answers, and to the demo page in a way that costs it no request.
pub(in crate::http) fn name_node(response: &mut Response, node: NodeId, is_demo: bool) {
    let headers = response.headers_mut();
    let node = node.to_string();
    if is_demo && let Ok(timing) = HeaderValue::try_from(format!("node;desc=\"{node}\"")) {
        headers.insert(SERVER_TIMING, timing);
    }
    if let Ok(node) = HeaderValue::try_from(node) {
        headers.insert(NODE, node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(is_demo: bool) -> Response {
        let mut response = Response::default();
        name_node(&mut response, NodeId::from_bits(0x1f), is_demo);
        response
    }

    #[test]
    fn an_answer_names_its_node_and_only_a_demo_says_so_to_the_page() {
        let usual = named(false);
        assert_eq!(usual.headers()[NODE], "000000000000001f");
        assert_eq!(usual.headers().get(SERVER_TIMING), None);
        assert_eq!(named(true).headers()[SERVER_TIMING], "node;desc=\"000000000000001f\"");
    }
}
