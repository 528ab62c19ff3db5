//! Full-text search over the documents that a caller may read (`docs/semantics.md`, "Search").
//!
//! The database finds candidates: documents that have the words and for which the caller's rights
//! hold, by one statement per doctype. What they say is read from their own tables and ranked here
//! (`rank.rs`), alike on both databases. Nothing of a rank or a number in the answer depends on
//! documents that the caller may not read.
//!
//! What is found by which words is kept by `resource::searched`; this room only asks, and carries
//! the work of the background on (`index.rs`).

pub mod index;
mod rank;

use std::sync::Arc;

use serde_json::Value;

use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::words::{searched_fields, searched_text, words};
use crate::doctype::{DocType, Field, Filter};
use crate::error::{AppError, Denied};
use crate::resource;
use crate::store::StoreError;
use crate::store::documents::{self, Begin, Search};
use crate::store::search::{self as store, Wanted};

/// Documents that are ranked; of more, the newest.
const RANKED: usize = 1_000;
/// Letters of a text that is searched for.
const MAX_TEXT: usize = 200;
/// Words of it.
const MAX_WORDS: usize = 16;
/// Letters from which on the last word counts as the beginning of one.
const MIN_BEGINNING: usize = 2;
/// Results of an answer that names no number, and at most.
const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 100;

/// What someone searches for.
#[derive(Clone, Debug, Default)]
pub struct SearchParams {
    pub text: String,
    /// Only documents of this doctype.
    pub doctype: Option<String>,
    /// The best of them that are left out.
    pub start: usize,
    /// 0: the default.
    pub limit: usize,
}

/// What was found, best first.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub hits: Vec<Hit>,
    /// Whether there are more than 1,000 matches, so that only the newest were ranked.
    pub truncated: bool,
}

/// A document that was found.
#[derive(Clone, Debug)]
pub struct Hit {
    pub doctype: Arc<DocType>,
    /// A number where names are.
    pub name: Value,
    pub title: String,
    /// The searched fields that say something, by their labels.
    pub texts: Vec<(String, String)>,
    /// The text around the first words that were found, as HTML with `<mark>` around them.
    pub excerpt: String,
    /// The higher, the better.
    pub rank: f64,
}

/// A document that has the words.
struct Match {
    doctype: Arc<DocType>,
    /// What the database says of it.
    row: String,
    rank: f64,
    newness: i64,
}

/// What is found of one doctype.
#[derive(Default)]
struct OfDoctype {
    /// Rows that were looked at.
    rows: usize,
    matches: Vec<Match>,
}

/// Searches what the caller may read.
///
/// # Errors
/// [`AppError::InvalidData`] for a text that is too long; what refuses a doctype that was named, and guests.
pub fn search(cx: &mut Cx, caller: &Caller, params: &SearchParams) -> Result<Found, AppError> {
    if caller.is_guest() {
        return Err(AppError::NotPermitted(Denied::Method("search".into())));
    }
    let wanted = read_wanted(&params.text)?;
    let named = match &params.doctype {
        Some(doctype) => Some(resource::readable(cx, caller, doctype)?),
        None => None,
    };
    if wanted == Wanted::default() {
        return Ok(Found::default());
    }
    let limit = i64::try_from(RANKED + 1).unwrap_or(i64::MAX);
    let begin = if store::count_matches(cx.conn, &wanted, limit)? < limit { Begin::AllMatches } else { Begin::NewestMatches };
    let doctypes = match (named, begin) {
        (Some(named), _) => vec![named],
        // Of so many documents, those that the caller may read may be of any doctype.
        (None, Begin::NewestMatches) => {
            let every = store::list_doctypes(cx.conn)?;
            readable(cx, caller, every)?
        }
        (None, Begin::AllMatches | Begin::Visible) => {
            let matched = store::list_matched_doctypes(cx.conn, &wanted)?;
            readable(cx, caller, matched)?
        }
    };
    let mut matches = Vec::new();
    let mut truncated = false;
    for (doctype, rights) in doctypes {
        let found = search_doctype(cx, &doctype, &rights, &wanted, begin)?;
        // Also where some of the rows turn out to say something else by now: there are more that were not looked at.
        truncated |= found.rows > RANKED;
        matches.extend(found.matches);
    }
    if matches.len() > RANKED {
        truncated = true;
        matches.sort_by_key(|found| std::cmp::Reverse(found.newness));
        matches.truncate(RANKED);
    }
    matches.sort_by(|one, other| other.rank.total_cmp(&one.rank).then(other.newness.cmp(&one.newness)));
    let shown = if params.limit == 0 { DEFAULT_LIMIT } else { params.limit.min(MAX_LIMIT) };
    let page = matches.into_iter().skip(params.start).take(shown);
    let hits = page.map(|found| hit(found, &wanted)).collect::<Result<_, _>>()?;
    Ok(Found { hits, truncated })
}

/// The words of a text; the last one, unless something follows it, is the beginning of one.
fn read_wanted(text: &str) -> Result<Wanted, AppError> {
    if text.contains('\0') {
        return Err(AppError::InvalidData("the text to search for must not contain NUL".into()));
    }
    if text.chars().count() > MAX_TEXT {
        return Err(AppError::InvalidData(format!("the text to search for is longer than {MAX_TEXT} letters")));
    }
    let mut wanted = Wanted::default();
    for word in words(text) {
        if word.end == text.len() && word.folded.chars().count() >= MIN_BEGINNING {
            wanted.beginning = Some(word.folded.into_owned());
        } else if !wanted.words.iter().any(|known| *known == word.folded) {
            wanted.words.push(word.folded.into_owned());
        }
    }
    if wanted.words.len() > MAX_WORDS {
        return Err(AppError::InvalidData(format!("more than {MAX_WORDS} words are too many to search for")));
    }
    Ok(wanted)
}

/// Those of the doctypes that the caller reaches; the others are left out, as if nothing of them were there.
fn readable(cx: &mut Cx, caller: &Caller, names: Vec<String>) -> Result<Vec<(Arc<DocType>, Filter)>, AppError> {
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        match resource::readable(cx, caller, &name) {
            Ok(readable) => found.push(readable),
            Err(AppError::NotFound { .. } | AppError::InsufficientScope { .. } | AppError::NotPermitted(_)) => {}
            Err(other) => return Err(other),
        }
    }
    Ok(found)
}

/// The documents of one doctype that have the words, at most one more than are ranked.
fn search_doctype(cx: &mut Cx, doctype: &Arc<DocType>, rights: &Filter, wanted: &Wanted, begin: Begin) -> Result<OfDoctype, AppError> {
    let fields = searched_fields(doctype);
    if fields.is_empty() || rights.is_never() {
        return Ok(OfDoctype::default());
    }
    let shown: Vec<&str> = std::iter::once("name").chain(fields.iter().map(|field| field.fieldname.as_str())).collect();
    let limit = i64::try_from(RANKED + 1).unwrap_or(i64::MAX);
    let zone = cx.env.config.site.time_zone;
    let search = Search { doctype, wanted, rights, fields: &shown, limit, zone };
    let mut rows = None;
    // A million documents may have the words, of which the caller may read five: then it is faster to look at the five.
    if begin == Begin::NewestMatches && documents::leaves_few(rights) {
        let visible = documents::search_documents(cx.conn, &search, Begin::Visible)?;
        rows = Some(visible).filter(|visible| visible.len() <= RANKED);
    }
    let rows = match rows {
        Some(rows) => rows,
        None => documents::search_documents(cx.conn, &search, begin)?,
    };
    let mut found = OfDoctype { rows: rows.len(), matches: Vec::with_capacity(rows.len()) };
    for row in rows {
        let document = Document::read(doctype, &fields, &row)?;
        // What is kept of its words may be older than what it says now.
        let texts = document.texts.iter().map(|(_, text)| text.as_str());
        if let Some(rank) = rank::rank(&document.name_text(), &document.title(), texts, wanted) {
            let newness = document.newness;
            found.matches.push(Match { doctype: Arc::clone(doctype), row, rank, newness });
        }
    }
    Ok(found)
}

/// What a search reads of a document.
struct Document<'a> {
    name: Value,
    /// The searched fields that say something.
    texts: Vec<(&'a Field, String)>,
    title: Option<usize>,
    newness: i64,
}

impl<'a> Document<'a> {
    /// Reads a row of `store::documents::search_documents`, for which `fields` were asked.
    fn read(doctype: &DocType, fields: &[&'a Field], row: &str) -> Result<Self, AppError> {
        let mut values: Vec<Value> = serde_json::from_str(row).map_err(StoreError::corrupt)?;
        let newness = values.pop().and_then(|newness| newness.as_i64()).unwrap_or_default();
        let mut values = values.into_iter();
        let name = values.next().ok_or_else(|| StoreError::corrupt("a document without a name"))?;
        let texts = fields.iter().zip(values).map(|(field, value)| (*field, searched_text(field, Some(&value))));
        let texts: Vec<(&Field, String)> = texts.filter(|(_, text)| !text.is_empty()).collect();
        let title = texts.iter().position(|(field, _)| doctype.title_field.as_ref() == Some(&field.fieldname));
        Ok(Self { name, texts, title, newness })
    }

    fn name_text(&self) -> String {
        self.name.as_str().map_or_else(|| self.name.to_string(), str::to_owned)
    }

    /// Its title, else its name.
    fn title(&self) -> String {
        self.title.map_or_else(|| self.name_text(), |title| self.texts[title].1.clone())
    }
}

/// A document as it is answered.
fn hit(found: Match, wanted: &Wanted) -> Result<Hit, AppError> {
    let Match { doctype, row, rank, .. } = found;
    let fields = searched_fields(&doctype);
    let document = Document::read(&doctype, &fields, &row)?;
    let title = document.title();
    let texts: Vec<(String, String)> = document.texts.into_iter().map(|(field, text)| (field.label.clone(), text)).collect();
    let excerpt = rank::excerpt(&title, &texts, wanted);
    Ok(Hit { name: document.name, title, texts, excerpt, rank, doctype: Arc::clone(&doctype) })
}
