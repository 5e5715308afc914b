//! How fast requests are taken that have to outlive the server: each is on disk before it is acknowledged.

use crate::{
    Fallible, countersign, fixture,
    load::{Plan, backend, run},
    peer::BACKENDS,
    process::Server,
    sample::Sample,
};
use std::path::{Path, PathBuf};

/// What one caller gets, and what many get at once.
pub(crate) struct Durable {
    pub(crate) one: Sample,
    pub(crate) many: Sample,
}

impl Durable {
    /// How many times as many requests are taken.
    pub(crate) fn gain(&self) -> f64 {
        self.many.per_second() / self.one.per_second()
    }
}

/// Has one caller, and then 64, ask for signatures of wallets that are not connected.
pub(crate) async fn measure(binary: &Path, plan: Plan) -> Fallible<Durable> {
    Ok(Durable { one: ask(binary, plan, 1).await?, many: ask(binary, plan, BACKENDS).await? })
}

async fn ask(binary: &Path, plan: Plan, callers: usize) -> Fallible<Sample> {
    // On the disk that the build is on: a system's temporary files may be in memory.
    let folder = Folder(binary.with_file_name(format!("bench-data-{}", std::process::id())));
    let server = countersign::start_durable(binary, &folder.0).await?;
    let sample = accept(&server, plan, callers).await;
    server.stop().await?;
    sample
}

async fn accept(server: &Server, plan: Plan, callers: usize) -> Fallible<Sample> {
    let wallets = fixture::wallets(100, 16);
    let callers = backend::connect(callers, server.address).await?.into_iter().map(backend::Submitter).collect();
    run(server, callers, &backend::submissions(&wallets, server.address), plan).await
}

/// A directory that is removed at the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed lies with the build, and goes with it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
