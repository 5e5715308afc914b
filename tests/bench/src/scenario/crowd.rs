//! Whether many connected wallets make the signatures of each dearer.

use crate::{Fallible, countersign, fixture, load::Plan, load::wallet, peer, sample::Sample};
use std::path::Path;

const FEW: usize = 100;
const MANY: usize = 10_000;

/// One server, three times under load.
pub(crate) struct Crowd {
    /// 100 wallets connected, all of them asked.
    pub(crate) few: Sample,
    /// 10,000 connected, the same 100 asked.
    pub(crate) few_of_many: Sample,
    /// 10,000 connected, all of them asked: none is in the processor's caches any more.
    pub(crate) many: Sample,
}

impl Crowd {
    /// All three.
    pub(crate) fn samples(&self) -> [&Sample; 3] {
        [&self.few, &self.few_of_many, &self.many]
    }
}

/// Measures with few wallets connected, then with many.
pub(crate) async fn measure(binary: &Path, plan: Plan) -> Fallible<Crowd> {
    let wallets = fixture::wallets(MANY as u32, 1);
    let (few, others) = wallets.split_at(FEW);
    let server = countersign::start(binary).await?;
    let dialect = countersign::dialect(server.address)?;
    let few_serving = wallet::serve(few, server.address, &dialect).await?;
    let alone = peer::http(&server, few, countersign::PATH, plan).await?;
    let others_serving = wallet::serve(others, server.address, &dialect).await?;
    let few_of_many = peer::http(&server, few, countersign::PATH, plan).await?;
    let many = peer::http(&server, &wallets, countersign::PATH, plan).await?;
    drop((few_serving, others_serving));
    server.stop().await?;
    Ok(Crowd { few: alone, few_of_many, many })
}
