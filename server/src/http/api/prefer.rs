//! What a caller prefers (RFC 7240): an answer now rather than at the end.

use std::time::Duration;
use warp::http::{HeaderMap, HeaderValue};

/// The longest that a caller is kept waiting on its own wish, as for a long poll.
pub(in crate::http) const MOST_WAIT: Duration = Duration::from_secs(60);

/// What of `Prefer` is understood here. The rest is ignored, as RFC 7240 §2 wants it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::http) struct Prefer {
    /// Answer before the end, after as long as this.
    pub(in crate::http) respond_async: Option<Duration>,
    /// Whether that time was named.
    waits: bool,
}

impl Prefer {
    /// The preferences of all header lines; of a repeated one the first counts.
    pub(in crate::http) fn of(headers: &HeaderMap) -> Self {
        let lines = headers.get_all("prefer").iter().filter_map(|line| line.to_str().ok());
        let (mut respond_async, mut wait) = (false, None);
        for preference in lines.flat_map(preferences) {
            // Parameters, behind a semicolon, are defined for none of these two.
            let (name, value) = preference.split(';').next().and_then(|own| own.split_once('=')).map_or_else(
                || (preference.split(';').next().unwrap_or_default().trim(), None),
                |(name, value)| (name.trim(), Some(value.trim().trim_matches('"'))),
            );
            if name.eq_ignore_ascii_case("respond-async") {
                respond_async = true;
            } else if name.eq_ignore_ascii_case("wait") && wait.is_none() {
                wait = value.and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
            }
        }
        let time_limit = wait.unwrap_or_default().min(MOST_WAIT);
        Self { respond_async: respond_async.then_some(time_limit), waits: respond_async && wait.is_some() }
    }

    /// Whether the answer is to come at once, so that its form does not hang on how fast a wallet is.
    pub(in crate::http) fn is_immediate(self) -> bool {
        self.respond_async.is_some_and(|time_limit| time_limit.is_zero())
    }

    /// `Preference-Applied` of an answer that came before the end, or because the end came in time.
    pub(in crate::http) fn applied(self, before_the_end: bool) -> Option<HeaderValue> {
        let time_limit = self.respond_async?.as_secs();
        let applied = match (before_the_end, self.waits) {
            (true, true) => format!("respond-async, wait={time_limit}"),
            (true, false) => return Some(HeaderValue::from_static("respond-async")),
            (false, true) => format!("wait={time_limit}"),
            (false, false) => return None,
        };
        HeaderValue::try_from(applied).ok()
    }
}

/// The preferences of one line; a comma within quotes separates nothing.
fn preferences(line: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    line.split(move |char| {
        quoted ^= char == '"';
        char == ',' && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefer(lines: &[&str]) -> Prefer {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("prefer", line.parse().unwrap());
        }
        Prefer::of(&headers)
    }

    #[test]
    fn what_is_understood_is_applied() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (lines, expected) in [
            (&["respond-async"][..], seconds(0)),
            (&["Respond-Async, WAIT=5"], seconds(5)),
            (&["wait=\"5\"; why=x", "respond-async"], seconds(5)),
            (&["respond-async, wait=5, wait=7"], seconds(5)),
            (&["return=minimal, respond-async; foo, wait=100000"], seconds(60)),
            (&["respond-async, wait=soon"], seconds(0)),
            (&["respond-async, wait=-1"], seconds(0)),
            (&["foo=\"a, respond-async\", wait=5"], None),
            (&["foo=\"a, b\", respond-async"], seconds(0)),
            (&["wait=5"], None),
            (&["respond-asynchronously", ""], None),
            (&[], None),
        ] {
            assert_eq!(prefer(lines).respond_async, expected, "{lines:?}");
        }
    }

    #[test]
    fn an_answer_says_what_was_applied() {
        let applied = |line, before| prefer(&[line]).applied(before);
        assert_eq!(applied("respond-async", true).unwrap(), "respond-async");
        assert_eq!(applied("respond-async", false), None);
        assert_eq!(applied("respond-async, wait=3", true).unwrap(), "respond-async, wait=3");
        assert_eq!(applied("respond-async, wait=3", false).unwrap(), "wait=3");
        assert_eq!(applied("wait=3", false), None);
    }
}
