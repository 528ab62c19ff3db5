//! A statement put together at run time: SQL text from trusted identifiers, values only as binds.
//!
//! Diesel's own `sql_query` prepares its text anew each time. A [`Statement`] is kept prepared by
//! each connection, but only among the first few hundred different texts: filters make any number
//! of them, and a connection keeps what it prepared for as long as it lives.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::{LazyLock, Mutex, PoisonError};

use chrono::{NaiveDate, NaiveDateTime};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Date, Double, Nullable, Text, Timestamp};

use super::conn::MultiBackend;
use super::{Conn, StoreError, dialect};
use crate::doctype::{FieldValue, Kind};

/// Most different texts that connections keep prepared.
const MAX_KEPT: usize = 400;
static KEPT: LazyLock<Mutex<HashSet<u64>>> = LazyLock::new(|| Mutex::new(HashSet::new()));

enum Bind {
    Text(Option<String>),
    Int(Option<i64>),
    Float(Option<f64>),
    Date(Option<NaiveDate>),
    Timestamp(Option<NaiveDateTime>),
}

enum Piece {
    Sql(String),
    Bind(Bind),
}

/// SQL with its bound values; rows are one text column.
#[derive(Default)]
pub(super) struct Statement {
    pieces: Vec<Piece>,
    keep: bool,
    plan_anew: bool,
}

impl Statement {
    /// SQL without parameters that never changes.
    pub fn fixed(sql: &'static str) -> Self {
        Self { pieces: vec![Piece::Sql(sql.to_owned())], keep: true, plan_anew: false }
    }

    /// Adds SQL text. Never pass what came from a request.
    pub fn sql(&mut self, sql: &str) -> &mut Self {
        match self.pieces.last_mut() {
            Some(Piece::Sql(text)) => text.push_str(sql),
            _ => self.pieces.push(Piece::Sql(sql.to_owned())),
        }
        self
    }

    /// Adds a value as a variable of the type of its column.
    pub fn bind(&mut self, kind: Kind, value: &FieldValue) -> &mut Self {
        let bind = match (kind, value) {
            (Kind::Text { .. }, FieldValue::Text(text)) => Bind::Text(Some(text.clone())),
            (Kind::Text { .. }, _) => Bind::Text(None),
            (Kind::Int | Kind::Check, FieldValue::Int(number)) => Bind::Int(Some(*number)),
            (Kind::Int | Kind::Check, _) => Bind::Int(None),
            (Kind::Float, FieldValue::Float(number)) => Bind::Float(Some(*number)),
            (Kind::Float, _) => Bind::Float(None),
            (Kind::Date, FieldValue::Date(day)) => Bind::Date(Some(*day)),
            (Kind::Date, _) => Bind::Date(None),
            (Kind::Datetime, FieldValue::Datetime(at)) => Bind::Timestamp(Some(*at)),
            (Kind::Datetime, _) => Bind::Timestamp(None),
            (Kind::Time, FieldValue::Time(micros)) => Bind::Int(Some(*micros)),
            (Kind::Time, _) => Bind::Int(None),
        };
        self.pieces.push(Piece::Bind(bind));
        self
    }

    /// Adds a text as a variable.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.pieces.push(Piece::Bind(Bind::Text(Some(text.to_owned()))));
        self
    }

    /// Adds a number as a variable.
    pub fn int(&mut self, number: i64) -> &mut Self {
        self.pieces.push(Piece::Bind(Bind::Int(Some(number))));
        self
    }

    /// Has the database look at the values before it decides how to go about it, each time.
    pub fn plan_anew(&mut self) -> &mut Self {
        self.plan_anew = true;
        self
    }

    /// Runs it and returns the text of each row.
    pub fn load(mut self, conn: &mut Conn) -> Result<Vec<String>, StoreError> {
        self.keep = self.keep || self.is_worth_keeping();
        Ok(diesel::RunQueryDsl::load::<String>(self, conn)?)
    }

    /// Runs it and returns the text of each row, as long as they have no more bytes together than this.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] when they have more.
    pub fn load_within(mut self, conn: &mut Conn, bytes: usize) -> Result<Vec<String>, StoreError> {
        self.keep = self.keep || self.is_worth_keeping();
        dialect::load_within(conn, self, bytes)
    }

    /// Runs it and returns how many rows it changed.
    pub fn execute(mut self, conn: &mut Conn) -> Result<usize, StoreError> {
        self.keep = self.keep || self.is_worth_keeping();
        Ok(diesel::RunQueryDsl::execute(self, conn)?)
    }

    fn is_worth_keeping(&self) -> bool {
        if self.plan_anew {
            return false;
        }
        let sql: Vec<&str> = self.pieces.iter().map(|piece| if let Piece::Sql(sql) = piece { sql.as_str() } else { "?" }).collect();
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(&sql);
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        kept.contains(&hash) || (kept.len() < MAX_KEPT && kept.insert(hash))
    }
}

/// The same for either database, and for Postgres where its rows are fetched one by one.
macro_rules! walk_for {
    ($backend:ty) => {
        impl QueryFragment<$backend> for Statement {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, $backend>) -> QueryResult<()> {
                if !self.keep {
                    out.unsafe_to_cache_prepared();
                }
                for piece in &self.pieces {
                    match piece {
                        Piece::Sql(sql) => out.push_sql(sql),
                        Piece::Bind(Bind::Text(value)) => out.push_bind_param::<Nullable<Text>, _>(value)?,
                        Piece::Bind(Bind::Int(value)) => out.push_bind_param::<Nullable<BigInt>, _>(value)?,
                        Piece::Bind(Bind::Float(value)) => out.push_bind_param::<Nullable<Double>, _>(value)?,
                        Piece::Bind(Bind::Date(value)) => out.push_bind_param::<Nullable<Date>, _>(value)?,
                        Piece::Bind(Bind::Timestamp(value)) => out.push_bind_param::<Nullable<Timestamp>, _>(value)?,
                    }
                }
                Ok(())
            }
        }
    };
}

walk_for!(MultiBackend);
walk_for!(Pg);

impl QueryId for Statement {
    type QueryId = ();
    // The text differs from one statement to the next.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Statement {
    type SqlType = Text;
}

impl<C> RunQueryDsl<C> for Statement {}
