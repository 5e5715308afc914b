//! The processor time per signature as bars.

use crate::{peer::Peer, results::Results};

const WIDTH: f64 = 760.0;
/// Where the bars begin; the names are left of it.
const LEFT: f64 = 220.0;
/// Room right of the longest bar for its number.
const RIGHT: f64 = 80.0;
const TOP: f64 = 56.0;
const BAR: f64 = 24.0;
const STEP: f64 = 36.0;

/// A picture that follows the reader's colour scheme, without fonts or scripts of its own.
pub(crate) fn svg(results: &Results) -> String {
    let bars: Vec<_> = results.peers().filter_map(|(peer, _)| Some((peer, results.cost(peer)?))).collect();
    let longest = bars.iter().map(|(_, micros)| *micros).fold(1.0, f64::max);
    let scale = (WIDTH - LEFT - RIGHT) / longest;
    let bottom = TOP + bars.len() as f64 * STEP;
    let mut text = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {}" role="img" aria-labelledby="title">
<title id="title">Server CPU per verified signature, in microseconds: {}</title>
<style>
  text {{ font: 14px system-ui, sans-serif; fill: #1f2328; }}
  .head {{ font-weight: 600; font-size: 16px; }}
  .limit-name {{ font-size: 12px; fill: #59636e; }}
  .theirs {{ fill: #afb8c1; }}
  .ours {{ fill: #0969da; }}
  .limit {{ stroke: #59636e; stroke-dasharray: 4 4; }}
  @media (prefers-color-scheme: dark) {{
    text {{ fill: #f0f6fc; }}
    .limit-name {{ fill: #9198a1; }}
    .theirs {{ fill: #656c76; }}
    .ours {{ fill: #4493f8; }}
    .limit {{ stroke: #9198a1; }}
  }}
</style>
<text class="head" x="16" y="28">Server CPU per verified signature</text>
"#,
        bottom + 40.0,
        bars.iter().map(|(peer, micros)| format!("{} {micros:.0}", peer.name())).collect::<Vec<_>>().join(", ")
    );
    for (n, (peer, micros)) in bars.iter().enumerate() {
        text.push_str(&bar(*peer, *micros, TOP + n as f64 * STEP, scale));
    }
    if let Some(limit) = results.cost(Peer::Verify) {
        let x = LEFT + limit * scale;
        text.push_str(&format!(
            "<line class=\"limit\" x1=\"{x:.1}\" y1=\"{}\" x2=\"{x:.1}\" y2=\"{bottom}\"/>\n\
             <text class=\"limit-name\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">the verification itself</text>\n",
            TOP - 8.0,
            bottom + 12.0
        ));
    }
    text.push_str("</svg>\n");
    text
}

fn bar(peer: Peer, micros: f64, top: f64, scale: f64) -> String {
    let class = match peer {
        Peer::Countersign | Peer::Baseline | Peer::InProcess | Peer::Verdict => "ours",
        Peer::ActixPlan | Peer::NodeWs | Peer::SocketIo | Peer::Nats | Peer::Verify | Peer::VerifyHere => "theirs",
    };
    let (length, middle) = (micros * scale, top + BAR / 2.0 + 5.0);
    format!(
        "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{}</text>\n\
         <rect class=\"{class}\" x=\"{LEFT}\" y=\"{top}\" width=\"{length:.1}\" height=\"{BAR}\" rx=\"3\"/>\n\
         <text x=\"{:.1}\" y=\"{middle}\">{micros:.0} µs</text>\n",
        LEFT - 12.0,
        peer.name(),
        LEFT + length + 8.0
    )
}
