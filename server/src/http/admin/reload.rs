//! `POST reload`: has the server take its settings anew, and says what came of it.

use super::{
    actions::{Action, To, note_outcome},
    operator::Operator,
    state::Admin,
};
use crate::http::{
    api::{Problem, json},
    reload::{Reloaded, Reloader},
};
use serde::Serialize;
use warp::reply::Response;

/// That they were refused is an answer, and no failure of the call.
#[derive(Serialize)]
struct Answer {
    reloaded: bool,
    #[serde(flatten)]
    outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Outcome {
    Taken {
        changed: Vec<&'static str>,
        tokens_added: Vec<String>,
        tokens_removed: Vec<String>,
        ended: usize,
        open_without_token: usize,
    },
    Refused {
        mistakes: Vec<String>,
    },
}

impl From<Reloaded> for Outcome {
    fn from(report: Reloaded) -> Self {
        Self::Taken {
            changed: report.changed(),
            tokens_added: report.added,
            tokens_removed: report.removed,
            ended: report.ended,
            open_without_token: report.open_without_token,
        }
    }
}

pub(super) async fn reload(admin: &Admin, who: &Operator, reloader: &Reloader) -> Result<Response, Problem> {
    let taken = reloader.reload().await;
    let count = taken.as_ref().ok().map(|report| report.changed().len());
    note_outcome(admin, who, Action::Reload, &To::default(), (if taken.is_ok() { "done" } else { "refused" }, count));
    let reloaded = taken.is_ok();
    let outcome = match taken {
        Ok(report) => report.into(),
        Err(mistakes) => Outcome::Refused { mistakes: mistakes.iter().map(ToString::to_string).collect() },
    };
    Ok(json(&Answer { reloaded, outcome, node: admin.app.service.node().map(|node| node.to_string()) }))
}
