//! A requester's own requests, whichever server owns them.

use super::{error::DbError, reads, row::Id, session::Session};
use crate::store::{
    columns::{array, bytes},
    listing::{Listed, Listing, Parameter, Statements, cut, found, listed, request_ids},
    rows::COLUMNS,
};
use countersign_protocol::RequestId;
use tokio_postgres::types::ToSql;

const OF_KEY: &str = "SELECT requests FROM idempotency WHERE requester_id = $1 AND key = $2";

/// A page.
pub(super) async fn list(session: &Session, listing: &Listing) -> Result<Listed, DbError> {
    let client = session.client();
    let ids = match &listing.idempotency_key {
        None => None,
        Some(key) => match client.query_opt(OF_KEY, &[&listing.requester.as_str(), &key.as_str()]).await? {
            None => return Ok(Listed::default()),
            Some(row) => Some(request_ids(&bytes(&row, "requests")?)),
        },
    };
    let mut statements = Statements::new(listing, ids, '$');
    let floor = match statements.floor() {
        None => None,
        Some((statement, parameters)) => {
            let owned = owned(parameters);
            let row = client.query_opt(&statement, &borrowed(&owned)).await?;
            row.map(|row| array(&row, "id").map(RequestId::from_bytes)).transpose()?
        }
    };
    statements.not_below(floor);
    let owned = owned(&statements.parameters);
    let rows = client.query(&statements.page(listing.limit), &borrowed(&owned)).await?;
    let page = rows.iter().map(found).collect::<Result<_, _>>()?;
    let (ids, next) = cut(page, listing.limit, floor);
    let ids: Vec<_> = ids.into_iter().map(Id::from).collect();
    let read = format!("SELECT {COLUMNS}, owner FROM requests WHERE id = ANY ($1)");
    let rows = client.query(&read, &[&ids]).await?;
    Ok(listed(listing, reads::records(&rows)?, next))
}

type Owned = Box<dyn ToSql + Sync + Send>;

fn owned(parameters: &[Parameter]) -> Vec<Owned> {
    let of = |parameter: &Parameter| -> Owned {
        match parameter {
            Parameter::Text(text) => Box::new(text.clone()),
            Parameter::Integer(integer) => Box::new(*integer),
            Parameter::Bytes(bytes) => Box::new(bytes.clone()),
            Parameter::Id(id) => Box::new(Id(*id)),
        }
    };
    parameters.iter().map(of).collect()
}

fn borrowed(owned: &[Owned]) -> Vec<&(dyn ToSql + Sync)> {
    owned.iter().map(|parameter| &**parameter as &(dyn ToSql + Sync)).collect()
}
