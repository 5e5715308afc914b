//! What a run found, for people.

mod figures;
mod plot;
mod tables;

pub(crate) use plot::svg;

use crate::{machine, results::Results};

/// The figures against their goals, then everything behind them.
pub(crate) fn markdown(results: &Results) -> String {
    let [before, after] = &results.load_averages;
    let awake = if results.awake { " The load's core was kept awake." } else { "" };
    format!(
        "# Results\n\n\
         {}. Load average before {before}, after {after}.{awake} Times are of this machine; the ratios are what to look at. How it \
         is measured: [README.md](README.md).\n\n\
         {}{}{}",
        machine::description(),
        figures::table(results),
        tables::peers(results),
        tables::scenarios(results)
    )
}
