//! A requester's own requests, the newest first, a page at a time.
//!
//! A page is bounded in rows, in bytes, and in rows that are looked at and passed over, whatever is asked for: it may have fewer than asked for,
//! or none, and there are more all the same. Where the next one begins is said by an id: what comes or goes meanwhile moves nothing.

use super::{
    columns::{Columns, Unreadable, array, millis, number},
    error::DbError,
    reads,
};
use crate::{
    idempotency::IdempotencyKey,
    record::{End, Record, end_code},
    reference::Reference,
    requester::RequesterId,
    time::Timestamp,
};
use countersign_protocol::{BatchId, PublicKeyBytes, RequestId};
use rusqlite::{
    Connection, OptionalExtension, ToSql, params, params_from_iter,
    types::{ToSqlOutput, ValueRef},
};

/// How many are looked at for a page, so that nobody who wants to write waits long.
const LOOKED_AT: usize = 5_000;
/// How much messages in a page are together, unless one alone is more.
const PAGE_BYTES: usize = 1024 * 1024;

/// How a request stands, as far as it can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StateFilter {
    Open,
    Ended,
    Signed,
    Rejected,
    Expired,
    Cancelled,
}

impl StateFilter {
    pub(crate) const ALL: [Self; 6] =
        [Self::Open, Self::Ended, Self::Signed, Self::Rejected, Self::Expired, Self::Cancelled];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Ended => "ended",
            Self::Signed => "signed",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    fn takes(self, end: Option<&End>) -> bool {
        match (self, end) {
            (Self::Open, end) => end.is_none(),
            (Self::Ended, end) => end.is_some(),
            (_, end) => end.is_some_and(|end| end.state() == self.as_str()),
        }
    }

    fn condition(self) -> String {
        let kinds: &[&str] = match self {
            Self::Open => return "ended_at IS NULL".into(),
            Self::Ended => return "ended_at IS NOT NULL".into(),
            Self::Signed => &[end_code::SIGNED],
            Self::Rejected => &[end_code::REJECTED, end_code::INVALID_SIGNATURE, end_code::MESSAGE_MISMATCH],
            Self::Expired => &[end_code::DELIVERY_TIMEOUT, end_code::TIMEOUT, end_code::SIGNER_DISCONNECTED],
            Self::Cancelled => &[end_code::CANCELLED, end_code::DRAINING],
        };
        format!("end_kind IN ('{}')", kinds.join("', '"))
    }
}

/// Which requests: those to which everything given applies.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    pub(crate) requester: RequesterId,
    pub(crate) state: Option<StateFilter>,
    pub(crate) key: Option<PublicKeyBytes>,
    pub(crate) reference: Option<Reference>,
    pub(crate) batch: Option<BatchId>,
    pub(crate) idempotency_key: Option<IdempotencyKey>,
    /// Then or later.
    pub(crate) created_after: Option<Timestamp>,
    /// Earlier than then.
    pub(crate) created_before: Option<Timestamp>,
    /// Where to go on: what the page before has given.
    pub(crate) before: Option<RequestId>,
    pub(crate) limit: usize,
}

impl Listing {
    /// All of somebody's.
    pub(crate) fn of(requester: RequesterId, limit: usize) -> Self {
        Self {
            requester,
            state: None,
            key: None,
            reference: None,
            batch: None,
            idempotency_key: None,
            created_after: None,
            created_before: None,
            before: None,
            limit,
        }
    }
}

/// A page.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) records: Vec<Record>,
    /// Where the next page begins; none after the last.
    pub(crate) next: Option<RequestId>,
}

/// What a statement is given, in the order of its marks.
#[derive(Debug)]
pub(super) enum Parameter {
    Text(String),
    Integer(i64),
    Bytes(Vec<u8>),
    Id([u8; 16]),
}

/// The statements of one page, for either database.
pub(super) struct Statements {
    /// How a parameter is marked: `?1` or `$1`.
    mark: char,
    conditions: Vec<String>,
    pub(super) parameters: Vec<Parameter>,
    /// How many of each an index answers.
    indexed: (usize, usize),
    index: &'static str,
}

impl Statements {
    /// `ids` are those of an idempotency key, where one is asked for.
    pub(super) fn new(listing: &Listing, ids: Option<Vec<RequestId>>, mark: char) -> Self {
        let Listing { requester, state, key, reference, batch, created_after, created_before, before, .. } = listing;
        let mut all =
            Self { mark, conditions: Vec::new(), parameters: Vec::new(), indexed: (0, 0), index: "requests_of" };
        let is_open = *state == Some(StateFilter::Open);
        all.add("requester_id =", Parameter::Text(requester.as_str().into()));
        if let Some(before) = before {
            all.add("id <", Parameter::Id(before.to_bytes()));
        }
        // What a key has asked is little, as is what is open; otherwise what has a name of its own.
        if let Some(ids) = &ids {
            all.index = "";
            all.add_ids(ids);
        } else if is_open {
            all.index = "requests_open_of";
            all.conditions.push(StateFilter::Open.condition());
        } else if reference.is_some() {
            all.index = "requests_reference";
            all.add_reference(reference.as_ref());
        } else if batch.is_some() {
            all.index = "requests_batch";
            all.add_batch(*batch);
        }
        all.indexed = (all.conditions.len(), all.parameters.len());
        if all.index != "requests_reference" {
            all.add_reference(reference.as_ref());
        }
        if let Some(state) = state.filter(|_| all.index != "requests_open_of") {
            all.conditions.push(state.condition());
        }
        if all.index != "requests_batch" {
            all.add_batch(*batch);
        }
        if let Some(key) = key {
            all.add("public_key =", Parameter::Bytes(key.as_bytes().to_vec()));
        }
        for (condition, time) in [("queued_at >=", created_after), ("queued_at <", created_before)] {
            if let Some(time) = time {
                all.add(condition, Parameter::Integer(millis(*time)));
            }
        }
        all
    }

    fn add(&mut self, condition: &str, parameter: Parameter) {
        self.parameters.push(parameter);
        self.conditions.push(format!("{condition} {}{}", self.mark, self.parameters.len()));
    }

    fn add_reference(&mut self, reference: Option<&Reference>) {
        if let Some(reference) = reference {
            self.add("reference =", Parameter::Text(reference.as_str().into()));
        }
    }

    fn add_batch(&mut self, batch: Option<BatchId>) {
        if let Some(batch) = batch {
            self.add("batch_id =", Parameter::Bytes(batch.to_bytes().to_vec()));
        }
    }

    /// There are a few at most.
    fn add_ids(&mut self, ids: &[RequestId]) {
        let mut marks = Vec::new();
        for id in ids {
            self.parameters.push(Parameter::Id(id.to_bytes()));
            marks.push(format!("{}{}", self.mark, self.parameters.len()));
        }
        self.conditions.push(format!("id IN ({})", marks.join(", ")));
    }

    /// The last that is looked at, where there are conditions that no index answers.
    pub(super) fn floor(&self) -> Option<(String, &[Parameter])> {
        let (conditions, parameters) = self.indexed;
        if conditions == self.conditions.len() {
            return None;
        }
        let statement = format!(
            "SELECT id FROM {} WHERE {} ORDER BY id DESC LIMIT 1 OFFSET {}",
            self.table(),
            self.conditions.get(..conditions).unwrap_or_default().join(" AND "),
            LOOKED_AT - 1
        );
        Some((statement, self.parameters.get(..parameters).unwrap_or_default()))
    }

    pub(super) fn not_below(&mut self, floor: Option<RequestId>) {
        if let Some(floor) = floor {
            self.add("id >=", Parameter::Id(floor.to_bytes()));
        }
    }

    /// The ids, and how long the messages are: one more than are wanted.
    pub(super) fn page(&self, limit: usize) -> String {
        format!(
            "SELECT id, CAST(length(message) AS BIGINT) AS bytes FROM {} WHERE {} ORDER BY id DESC LIMIT {}",
            self.table(),
            self.conditions.join(" AND "),
            limit.saturating_add(1)
        )
    }

    /// SQLite takes the index that it is told; PostgreSQL knows how much there is of what.
    fn table(&self) -> String {
        let is_told = self.mark == '?' && !self.index.is_empty();
        if is_told { format!("requests INDEXED BY {}", self.index) } else { "requests".into() }
    }
}

/// Which of those found make the page, and where the next begins.
pub(super) fn cut(
    found: Vec<(RequestId, usize)>,
    limit: usize,
    floor: Option<RequestId>,
) -> (Vec<RequestId>, Option<RequestId>) {
    let (count, mut bytes, mut ids) = (found.len(), 0_usize, Vec::new());
    for (id, of_message) in found.into_iter().take(limit) {
        bytes = bytes.saturating_add(of_message);
        if bytes > PAGE_BYTES && !ids.is_empty() {
            break;
        }
        ids.push(id);
    }
    let next = if ids.len() < count { ids.last().copied() } else { floor };
    (ids, next)
}

/// Reads one row of [`Statements::page`].
pub(super) fn found(row: &impl Columns) -> Result<(RequestId, usize), Unreadable> {
    Ok((RequestId::from_bytes(array(row, "id")?), number(row, "bytes")?))
}

/// The page that these records are. One that has ended since it was found is not shown as what it is not.
pub(super) fn listed(listing: &Listing, mut records: Vec<Record>, next: Option<RequestId>) -> Listed {
    records.retain(|record| listing.state.is_none_or(|state| state.takes(record.end.as_ref())));
    records.sort_unstable_by_key(|record| std::cmp::Reverse(record.id));
    Listed { records, next }
}

/// A page from SQLite.
pub(super) fn list(connection: &Connection, listing: &Listing) -> Result<Listed, DbError> {
    let ids = match &listing.idempotency_key {
        None => None,
        Some(key) => match of_key(connection, &listing.requester, key)? {
            None => return Ok(Listed::default()),
            ids => ids,
        },
    };
    let mut statements = Statements::new(listing, ids, '?');
    let floor = match statements.floor() {
        None => None,
        Some((statement, parameters)) => connection
            .prepare_cached(&statement)?
            .query_row(params_from_iter(parameters), |row| row.get::<_, [u8; 16]>(0))
            .optional()?
            .map(RequestId::from_bytes),
    };
    statements.not_below(floor);
    let page: Vec<_> = connection
        .prepare_cached(&statements.page(listing.limit))?
        .query_and_then(params_from_iter(&statements.parameters), |row| Ok::<_, DbError>(found(row)?))?
        .collect::<Result<_, _>>()?;
    let (ids, next) = cut(page, listing.limit, floor);
    let mut records = Vec::with_capacity(ids.len());
    for id in ids {
        records.extend(reads::request(connection, id)?);
    }
    Ok(listed(listing, records, next))
}

/// What was asked under an idempotency key.
fn of_key(
    connection: &Connection,
    requester: &RequesterId,
    key: &IdempotencyKey,
) -> Result<Option<Vec<RequestId>>, DbError> {
    let ids: Option<Vec<u8>> = connection
        .prepare_cached("SELECT requests FROM idempotency WHERE requester_id = ?1 AND key = ?2")?
        .query_row(params![requester.as_str(), key.as_str()], |row| row.get(0))
        .optional()?;
    Ok(ids.map(|ids| request_ids(&ids)))
}

/// The ids in a row of the idempotency keys.
pub(super) fn request_ids(bytes: &[u8]) -> Vec<RequestId> {
    bytes.as_chunks().0.iter().copied().map(RequestId::from_bytes).collect()
}

impl ToSql for Parameter {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Integer(integer) => ValueRef::Integer(*integer),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
            Self::Id(id) => ValueRef::Blob(id),
        }))
    }
}
