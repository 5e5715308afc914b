//! Round trips at a fixed rate, whether or not the server keeps up.

use crate::{
    Fallible, countersign, fixture,
    load::{Plan, Schedule, wallet},
    peer,
    sample::Sample,
};
use std::path::Path;

/// Round trips a second.
pub(crate) const PER_SECOND: f64 = 2000.0;

/// Asks at that rate. A round trip counts from when it was due, so that a server that stalls cannot hide it; the load's
/// timer, which ticks once a millisecond, counts too.
pub(crate) async fn measure(binary: &Path, plan: Plan) -> Fallible<Sample> {
    let wallets = fixture::wallets(100, 16);
    let server = countersign::start(binary).await?;
    let dialect = countersign::dialect(server.address)?;
    let serving = wallet::serve(&wallets, server.address, &dialect).await?;
    let plan = Plan { schedule: Schedule::Paced(PER_SECOND), ..plan };
    let sample = peer::http(&server, &wallets, countersign::PATH, plan).await?;
    drop(serving);
    server.stop().await?;
    Ok(sample)
}
