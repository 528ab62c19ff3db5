//! How documents get their names (Frappe's `autoname`, contract 7.2): the rule of a doctype, and
//! the patterns of series and formats.
//!
//! Pure: counters and random letters come from `resource::naming`.

use chrono::NaiveDateTime;

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

/// A pattern with everything filled in but its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled {
    /// What stands before the number; numbers are counted by it.
    pub before: String,
    /// Fewest digits of the number; `None` for a pattern without one.
    pub digits: Option<usize>,
    pub after: String,
}

impl Pattern {
    /// Fills in the day, in the site's time zone, and the fields of a document. Only the first counter counts, as in Frappe.
    pub fn fill(&self, local: NaiveDateTime, field: impl Fn(&str) -> String) -> Filled {
        let mut filled = Filled { before: String::new(), digits: None, after: String::new() };
        for part in &self.0 {
            let text = match part {
                Part::Text(text) => text.clone(),
                Part::Year => local.format("%Y").to_string(),
                Part::ShortYear => local.format("%y").to_string(),
                Part::Month => local.format("%m").to_string(),
                Part::Day => local.format("%d").to_string(),
                Part::Week => local.format("%V").to_string(),
                Part::DayOfYear => local.format("%j").to_string(),
                Part::Timestamp => local.format("%Y%m%d%H%M%S").to_string(),
                Part::Field(fieldname) => field(fieldname),
                Part::Counter(digits) => {
                    filled.digits = filled.digits.or(Some(*digits));
                    continue;
                }
            };
            if filled.digits.is_none() { filled.before.push_str(&text) } else { filled.after.push_str(&text) }
        }
        filled
    }
}

impl Filled {
    /// The name with this number.
    pub fn with(&self, number: i64) -> String {
        match self.digits {
            Some(digits) => format!("{}{number:0digits$}{}", self.before, self.after),
            None => format!("{}{}", self.before, self.after),
        }
    }

    /// The number in a name that was made of this; `None` for any other name.
    pub fn number_of(&self, name: &str) -> Option<i64> {
        let number = name.strip_prefix(self.before.as_str())?.strip_suffix(self.after.as_str())?.parse().ok()?;
        (self.digits.is_some() && self.with(number) == name).then_some(number)
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
    use chrono::NaiveDate;
    use proptest::prelude::*;

    use super::*;

    fn evening() -> NaiveDateTime {
        NaiveDate::from_ymd_opt(2027, 1, 3).and_then(|day| day.and_hms_opt(21, 4, 5)).expect("valid")
    }

    fn parts() -> impl Strategy<Value = Vec<Part>> {
        let part = prop_oneof![
            "[A-Za-z0-9/-]{1,6}".prop_map(Part::Text),
            Just(Part::Year),
            Just(Part::Week),
            Just(Part::Timestamp),
            "[a-z]{1,5}".prop_map(Part::Field),
            (1_usize..=MAX_DIGITS).prop_map(Part::Counter),
        ];
        proptest::collection::vec(part, 0..6)
    }

    proptest! {
        #[test]
        fn the_number_of_a_name_is_the_one_it_was_made_with(parts in parts(), number in 1_i64..2_000_000) {
            let counts = parts.iter().any(|part| matches!(part, Part::Counter(_)));
            let filled = Pattern(parts).fill(evening(), |fieldname| fieldname.to_uppercase());
            let name = filled.with(number);
            prop_assert_eq!(filled.number_of(&name), counts.then_some(number));
            prop_assert!(name.starts_with(&filled.before) && name.ends_with(&filled.after));
            if counts {
                // Longer and other spellings of the same number are other names.
                prop_assert_eq!(filled.number_of(&format!("{}0{number:020}{}", filled.before, filled.after)), None);
                prop_assert!(filled.with(number + 1) != name);
            }
        }

        #[test]
        fn any_text_is_a_pattern(text in "\\PC{0,30}") {
            let expression = Pattern::expression(&text, |_| false).fill(evening(), |_| String::new());
            prop_assert!(expression.digits.is_some());
            let name = Pattern::format(&text, |_| false).fill(evening(), |_| String::new()).with(7);
            let is_plain = !text.contains(['{', '}']);
            prop_assert!(!is_plain || name == text);
        }
    }

    #[test]
    fn parts_are_filled_in_with_the_day_and_the_fields() {
        let fill = |text: &str| Pattern::expression(text, |word| word == "company").fill(evening(), |_| "ACME".into()).with(42);
        assert_eq!(fill("HD-.#####"), "HD-00042");
        assert_eq!(fill("INV-.YYYY.-.MM.-.{company}.-.###"), "INV-2027-01-ACME-042");
        // The third of January 2027 is in the last week of 2026.
        assert_eq!(fill("W.WW.-.JJJ.-.YY.DD.#"), "W53-003-270342");
        assert_eq!(fill("A-.##.-.company.-.##"), "A-42-ACME-");
        assert_eq!(fill("T.timestamp.-.##"), "T20270103210405-42");
        let many = Pattern::expression("X-.##", |_| false).fill(evening(), |_| String::new());
        assert_eq!((many.with(7), many.with(1234)), ("X-07".to_owned(), "X-1234".to_owned()));
        assert_eq!(["X-07", "X-7", "X-1234", "Y-07", "X-"].map(|name| many.number_of(name)), [Some(7), None, Some(1234), None, None]);
    }

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
