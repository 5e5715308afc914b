//! Rows of PostgreSQL, and ids as it has them.

use crate::store::columns::{Columns, Unreadable};
use bytes::BytesMut;
use countersign_protocol::RequestId;
use std::error::Error as StdError;
use tokio_postgres::{
    Row,
    types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked},
};

/// A request's id, as a `uuid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Id(pub(super) [u8; 16]);

impl From<RequestId> for Id {
    fn from(id: RequestId) -> Self {
        Self(id.to_bytes())
    }
}

impl ToSql for Id {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    accepts!(UUID);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Id {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(raw.try_into()?))
    }

    accepts!(UUID);
}

/// Bytes of a `bytea` or a `uuid`.
struct Bytes(Vec<u8>);

impl<'a> FromSql<'a> for Bytes {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(raw.to_vec()))
    }

    accepts!(BYTEA, UUID);
}

impl Columns for Row {
    fn integer(&self, column: &'static str) -> Result<Option<i64>, Unreadable> {
        self.try_get(column).map_err(|_| Unreadable(column))
    }

    fn text(&self, column: &'static str) -> Result<Option<String>, Unreadable> {
        self.try_get(column).map_err(|_| Unreadable(column))
    }

    fn bytes(&self, column: &'static str) -> Result<Option<Vec<u8>>, Unreadable> {
        let bytes: Option<Bytes> = self.try_get(column).map_err(|_| Unreadable(column))?;
        Ok(bytes.map(|Bytes(bytes)| bytes))
    }
}
