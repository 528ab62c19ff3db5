//! How documents get their names (Frappe's `autoname`, contract 7.2): the rule of a doctype, and
//! the patterns of series and formats.
//!
//! Pure: counters and random letters come from `resource::naming`.

/// How documents get their name (Frappe's `autoname`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Naming {
    /// Ten random letters.
    Hash,
    /// The value of a field.
    Field(String),
    /// The client sends it.
    Prompt,
    /// The pattern in the document's own field `naming_series`, or that field's first option.
    Series,
    /// One pattern for all documents: `PREFIX-.YYYY.-.#####`, or `format:TEXT-{MM}-{#####}`.
    Pattern(Pattern),
    /// A number; such names are integers, in the database and on the wire.
    AutoIncrement,
    /// A version 7 UUID, unless the client sends one.
    Uuid,
}

/// A name with parts that are filled in when a document is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(pub Vec<Part>);

/// One part of a [`Pattern`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Text(String),
    /// `YYYY`: today's year in the site's time zone, like the others below.
    Year,
    /// `YY`.
    ShortYear,
    /// `MM`.
    Month,
    /// `DD`.
    Day,
    /// `WW`, the ISO week.
    Week,
    /// `JJJ`, the day of the year.
    DayOfYear,
    /// `timestamp`: date and time to the second, digits only.
    Timestamp,
    /// The value of a field.
    Field(String),
    /// `#####`: the next number for all that stands before it, with at least so many digits.
    Counter(usize),
}

/// Digits of a series that names none, as in Frappe.
const SERIES_DIGITS: usize = 5;
/// Most digits of a counter; more would not fit a number.
const MAX_DIGITS: usize = 15;

impl Pattern {
    /// An expression: parts between dots, `HD-.YYYY.-.#####`. Without a counter one of five digits follows.
    /// `is_field` says which words are fields of the doctype.
    pub fn expression(text: &str, is_field: impl Fn(&str) -> bool) -> Self {
        let mut parts: Vec<Part> = text.split('.').filter(|part| !part.is_empty()).map(|part| Part::read(part, &is_field)).collect();
        if !parts.iter().any(|part| matches!(part, Part::Counter(_))) {
            parts.push(Part::Counter(SERIES_DIGITS));
        }
        Self(parts)
    }

    /// A format: text with parts in braces, `TEXT-{MM}-{field}-{#####}`.
    pub fn format(text: &str, is_field: impl Fn(&str) -> bool) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((inner, after)) = after.split_once('}') else { break };
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::read(inner, &is_field));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Self(parts)
    }
}

impl Part {
    fn read(part: &str, is_field: &impl Fn(&str) -> bool) -> Self {
        let inner = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')).unwrap_or(part);
        match inner {
            "YYYY" => Self::Year,
            "YY" => Self::ShortYear,
            "MM" => Self::Month,
            "DD" => Self::Day,
            "WW" => Self::Week,
            "JJJ" => Self::DayOfYear,
            "timestamp" => Self::Timestamp,
            counter if !counter.is_empty() && counter.bytes().all(|byte| byte == b'#') => Self::Counter(counter.len().min(MAX_DIGITS)),
            field if is_field(field) => Self::Field(field.to_owned()),
            text => Self::Text(text.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Part {
        Part::Text(text.into())
    }

    #[test]
    fn expressions_are_split_at_their_dots() {
        let pattern = |text: &str| Pattern::expression(text, |word| word == "company").0;
        assert_eq!(pattern("HD-.#####"), [text("HD-"), Part::Counter(5)]);
        assert_eq!(pattern(".####"), [Part::Counter(4)]);
        assert_eq!(
            pattern("INV-.YYYY.-.{company}.-"),
            [text("INV-"), Part::Year, text("-"), Part::Field("company".into()), text("-"), Part::Counter(5)]
        );
        assert_eq!(pattern("A-.company.-.##"), [text("A-"), Part::Field("company".into()), text("-"), Part::Counter(2)]);
    }

    #[test]
    fn formats_keep_what_stands_outside_their_braces() {
        let pattern = |text: &str| Pattern::format(text, |word| word == "title").0;
        assert_eq!(
            pattern("EMP-{MM}-{title}-{#####}.x"),
            [text("EMP-"), Part::Month, text("-"), Part::Field("title".into()), text("-"), Part::Counter(5), text(".x")]
        );
        assert_eq!(pattern("{title}{open"), [Part::Field("title".into()), text("{open")]);
    }
}
