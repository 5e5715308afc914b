//! The open requests by their ids.

use super::open_request::OpenRequest;
use crate::prelude::*;
use countersign_protocol::RequestId;

/// The requests that are open, in the order in which they came. They are so few that a list is as fast as a tree, and it is a
/// tenth of the code to download.
#[derive(Debug, Default)]
pub(crate) struct OpenRequests(Vec<(RequestId, OpenRequest)>);

impl OpenRequests {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn contains(&self, id: RequestId) -> bool {
        self.get(id).is_some()
    }

    pub(crate) fn get(&self, id: RequestId) -> Option<&OpenRequest> {
        self.0.iter().find(|(known, _)| *known == id).map(|(_, open)| open)
    }

    pub(crate) fn get_mut(&mut self, id: RequestId) -> Option<&mut OpenRequest> {
        self.0.iter_mut().find(|(known, _)| *known == id).map(|(_, open)| open)
    }

    /// Adds a request whose id is not among them.
    pub(crate) fn insert(&mut self, id: RequestId, open: OpenRequest) {
        self.0.push((id, open));
    }

    pub(crate) fn remove(&mut self, id: RequestId) -> Option<OpenRequest> {
        let at = self.0.iter().position(|(known, _)| *known == id)?;
        Some(self.0.remove(at).1)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (RequestId, &OpenRequest)> {
        self.0.iter().map(|(id, open)| (*id, open))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (RequestId, &mut OpenRequest)> {
        self.0.iter_mut().map(|(id, open)| (*id, open))
    }

    /// Takes all of them out.
    pub(crate) fn take(&mut self) -> Vec<(RequestId, OpenRequest)> {
        core::mem::take(&mut self.0)
    }
}
