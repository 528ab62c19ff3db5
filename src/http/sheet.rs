//! Tables as CSV files (RFC 4180), which programs for spreadsheets open: sent page by page, so that none is ever whole
//! in memory.

use actix_web::http::header::{self, DispositionType};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use csv::{Terminator, Writer, WriterBuilder};
use futures_util::stream::{self, Stream, StreamExt as _};
use serde_json::value::RawValue;

use super::download::disposition;
use super::{extract, respond};
use crate::error::AppError;

/// The answer that sends a file of this name, without its ending. An error among the pages breaks the connection off
/// before the end of the body, so that nobody takes what they have for the whole.
pub fn response<S>(request: &HttpRequest, name: &str, pages: S) -> HttpResponse
where
    S: Stream<Item = Result<Bytes, AppError>> + 'static,
{
    // What separates folders is no part of a file's name.
    let file_name = format!("{}.csv", name.replace(['/', '\\'], "_"));
    let mut response = HttpResponse::build(StatusCode::OK);
    response.insert_header((header::CONTENT_TYPE, format!("{}; charset=utf-8; header=present", extract::CSV)));
    response.insert_header(disposition(&file_name, DispositionType::Attachment));
    // Nothing more is looked up for HEAD, and nothing is sent.
    let mut response = if request.method() == Method::HEAD { response.streaming(pages.take(0)) } else { response.streaming(pages) };
    respond::no_store(&mut response);
    response
}

/// One page after the other: `next` makes a page of a state, and the state that follows.
pub fn pages<T, F>(first: Bytes, state: T, next: impl FnMut(T) -> F + 'static) -> impl Stream<Item = Result<Bytes, AppError>> + 'static
where
    T: 'static,
    F: Future<Output = Result<Option<(Bytes, T)>, AppError>> + 'static,
{
    stream::iter([Ok(first)]).chain(stream::try_unfold(state, next))
}

/// The line of labels, and lines of values: each row is the text of a JSON list.
///
/// # Errors
/// [`AppError::Internal`] for a row that is none.
pub fn beginning<'a>(labels: impl Iterator<Item = &'a str>, rows: &[String]) -> Result<Bytes, AppError> {
    let mut writer = writer();
    writer.write_record(labels.map(|label| guarded(label.to_owned()))).map_err(AppError::internal)?;
    finish(writer, rows)
}

/// Lines of values alone.
///
/// # Errors
/// As [`beginning`].
pub fn lines(rows: &[String]) -> Result<Bytes, AppError> {
    finish(writer(), rows)
}

fn writer() -> Writer<Vec<u8>> {
    WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new())
}

fn finish(mut writer: Writer<Vec<u8>>, rows: &[String]) -> Result<Bytes, AppError> {
    for row in rows {
        let values: Vec<&RawValue> = serde_json::from_str(row).map_err(AppError::internal)?;
        let cells = values.into_iter().map(cell).collect::<Result<Vec<_>, _>>()?;
        writer.write_record(cells).map_err(AppError::internal)?;
    }
    Ok(writer.into_inner().map_err(AppError::internal)?.into())
}

/// A value as it stands in a cell: texts as they are, numbers as the database writes them, nothing for what is missing.
fn cell(value: &RawValue) -> Result<String, AppError> {
    match value.get() {
        "null" => Ok(String::new()),
        text if text.starts_with('"') => serde_json::from_str(text).map(guarded).map_err(AppError::internal),
        other => Ok(other.to_owned()),
    }
}

/// A text that a spreadsheet would take for a formula begins with an apostrophe, which makes it a text there too (OWASP,
/// "CSV Injection").
fn guarded(text: String) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) { format!("'{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(rows: &[String]) -> String {
        String::from_utf8(lines(rows).expect("JSON lists").to_vec()).expect("UTF-8")
    }

    #[test]
    fn values_are_written_as_the_rfc_says() {
        let row = r#"["a","b \"c\"","d,e","f\r\ng",null,1.0,-3,true]"#.to_owned();
        assert_eq!(written(std::slice::from_ref(&row)), "a,\"b \"\"c\"\"\",\"d,e\",\"f\r\ng\",,1.0,-3,true\r\n");
        // A line without anything would be no row.
        assert_eq!(written(&["[null]".to_owned()]), "\"\"\r\n");
        assert!(lines(&[row, "[null]".to_owned()]).is_err(), "rows of one table are alike");
        let labels = beginning(["Näme", "=1+1"].into_iter(), &[]).expect("labels");
        assert_eq!(&labels[..], "Näme,'=1+1\r\n".as_bytes());
    }

    #[test]
    fn texts_that_would_be_formulas_are_texts_and_numbers_stay_numbers() {
        for (value, cell) in [
            (r#""=cmd|' /C calc'!A0""#, "'=cmd|' /C calc'!A0"),
            (r#""+1""#, "'+1"),
            (r#""-1""#, "'-1"),
            (r#""@SUM(A1)""#, "'@SUM(A1)"),
            (r#""\tx""#, "'\tx"),
            ("-1.5", "-1.5"),
            (r#""a=b""#, "a=b"),
            (r#""''""#, "''"),
        ] {
            assert_eq!(written(&[format!("[{value}]")]), format!("{cell}\r\n"), "{value}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(texts in proptest::collection::vec(proptest::collection::vec("[a-z0-9,\"\r\n äπ🦀']{0,12}", 3), 1..5)) {
            let rows: Vec<String> = texts.iter().map(|row| serde_json::to_string(row).expect("JSON")).collect();
            let file = lines(&rows).expect("JSON lists");
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&file[..]);
            let read: Vec<Vec<String>> = reader.records().map(|row| row.expect("a record").iter().map(str::to_owned).collect()).collect();
            let guarded: Vec<Vec<String>> = texts.into_iter().map(|row| row.into_iter().map(guarded).collect()).collect();
            prop_assert_eq!(read, guarded);
        }
    }
}
