//! Field values in the form they are stored, and the two ways Frappe writes time.
//!
//! Requests speak the site's time zone; what is stored is UTC. A [`FieldValue`] is always in the
//! stored form.

use chrono::{DateTime, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, SubsecRound, TimeDelta, TimeZone as _};
use chrono_tz::Tz;
use indexmap::IndexMap;

use super::fieldtype::Kind;

/// One value of a field, typed as its column.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue {
    Null,
    Text(String),
    /// Also the 0 and 1 of a Check.
    Int(i64),
    Float(f64),
    Date(NaiveDate),
    /// UTC, cut to microseconds.
    Datetime(NaiveDateTime),
    /// Microseconds since midnight.
    Time(i64),
}

impl FieldValue {
    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text in which Frappe shows it, in the site's time zone.
    pub fn shown(&self, zone: Tz) -> String {
        match self {
            Self::Null => String::new(),
            Self::Text(text) => text.clone(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            Self::Date(day) => day.format("%Y-%m-%d").to_string(),
            Self::Datetime(at) => format_local(to_local(*at, zone)),
            Self::Time(micros) => format_time(*micros),
        }
    }

    /// Whether Frappe calls the value missing: nothing, or an empty text.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) => text.is_empty(),
            _ => false,
        }
    }

    /// What a missing value counts as in comparisons (Frappe: NULL is '' or 0, and the year 1 for days).
    pub fn missing(kind: Kind) -> Self {
        match kind {
            Kind::Text { .. } => Self::Text(String::new()),
            Kind::Int | Kind::Check => Self::Int(0),
            Kind::Float => Self::Float(0.0),
            Kind::Date => Self::Date(NaiveDate::from_ymd_opt(1, 1, 1).expect("the year 1 exists")),
            Kind::Datetime => Self::Datetime(NaiveDate::from_ymd_opt(1, 1, 1).expect("the year 1 exists").and_time(NaiveTime::MIN)),
            Kind::Time => Self::Time(0),
        }
    }
}

/// The values of a document by field name, in the order of its definition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values {
    /// Found by name: a doctype has up to some hundred fields, and each is asked for several times.
    fields: IndexMap<String, FieldValue>,
    rows: Vec<(String, Vec<Values>)>,
}

impl Values {
    /// Sets a field, replacing an earlier value.
    pub fn set(&mut self, fieldname: &str, value: FieldValue) {
        match self.fields.get_mut(fieldname) {
            Some(old) => *old = value,
            None => drop(self.fields.insert(fieldname.to_owned(), value)),
        }
    }

    /// Sets the rows of a table field.
    pub fn set_rows(&mut self, fieldname: &str, rows: Vec<Values>) {
        match self.rows.iter_mut().find(|(name, _)| name == fieldname) {
            Some((_, old)) => *old = rows,
            None => self.rows.push((fieldname.to_owned(), rows)),
        }
    }

    /// A field's value, if the field is part of this change.
    pub fn get(&self, fieldname: &str) -> Option<&FieldValue> {
        self.fields.get(fieldname)
    }

    /// Whether the field is part of this change, be it empty.
    pub fn has(&self, fieldname: &str) -> bool {
        self.get(fieldname).is_some()
    }

    /// A non-empty text.
    pub fn text(&self, fieldname: &str) -> Option<&str> {
        self.get(fieldname).and_then(FieldValue::as_text).filter(|text| !text.is_empty())
    }

    /// A whole number.
    pub fn int(&self, fieldname: &str) -> Option<i64> {
        match self.get(fieldname) {
            Some(FieldValue::Int(number)) => Some(*number),
            _ => None,
        }
    }

    /// A Check.
    pub fn check(&self, fieldname: &str) -> Option<bool> {
        self.int(fieldname).map(|number| number != 0)
    }

    /// Takes a field out of this change.
    pub fn remove(&mut self, fieldname: &str) -> Option<FieldValue> {
        self.fields.shift_remove(fieldname)
    }

    /// The rows of a table field, to change them.
    pub fn rows_mut(&mut self, fieldname: &str) -> Option<&mut Vec<Values>> {
        self.rows.iter_mut().find(|(name, _)| name == fieldname).map(|(_, rows)| rows)
    }

    /// The rows of a table field, if it is part of this change.
    pub fn rows(&self, fieldname: &str) -> Option<&[Values]> {
        self.rows.iter().find(|(name, _)| name == fieldname).map(|(_, rows)| rows.as_slice())
    }

    /// All plain fields.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &FieldValue)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// All table fields.
    pub fn iter_rows(&self) -> impl Iterator<Item = (&str, &[Values])> {
        self.rows.iter().map(|(name, rows)| (name.as_str(), rows.as_slice()))
    }

    /// The bytes of all texts, those of rows included.
    pub fn size(&self) -> usize {
        let own = self.fields.values().filter_map(FieldValue::as_text).map(str::len).sum::<usize>();
        own + self.rows.iter().flat_map(|(_, rows)| rows).map(Self::size).sum::<usize>()
    }

    /// How many rows there are in all tables.
    pub fn count_rows(&self) -> usize {
        self.rows.iter().map(|(_, rows)| rows.len()).sum()
    }

    /// Whether nothing is part of this change.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.rows.is_empty()
    }
}

/// Reads a calendar day; a date-time is cut to its day, as Frappe does.
pub fn parse_date(text: &str) -> Option<NaiveDate> {
    let text = text.trim();
    let day = text.get(..10).unwrap_or(text);
    let rest = text.get(10..).unwrap_or("");
    if !(rest.is_empty() || rest.starts_with([' ', 'T'])) {
        return None;
    }
    in_range(NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()?)
}

/// Years that both databases store and that sort as text.
fn in_range(day: NaiveDate) -> Option<NaiveDate> {
    use chrono::Datelike as _;
    (1..=9999).contains(&day.year()).then_some(day)
}

/// Reads a date-time without a time zone, as Frappe writes it; a day alone is its midnight.
pub fn parse_local(text: &str) -> Option<NaiveDateTime> {
    let text = text.trim();
    if text.len() == 10 {
        return parse_date(text).map(|day| day.and_time(NaiveTime::MIN));
    }
    let at = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"]
        .into_iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())?;
    in_range(at.date())?;
    Some(without_leap_second(at)?.trunc_subsecs(6))
}

/// The second 60 is none that both databases keep: one shows it as it is, the other as the next minute.
fn without_leap_second(at: NaiveDateTime) -> Option<NaiveDateTime> {
    use chrono::Timelike as _;
    (at.nanosecond() < 1_000_000_000).then_some(at)
}

/// Reads the form in which the database keeps a time: `YYYY-MM-DD HH:MM:SS` and up to six digits of
/// fraction. Called for every time in a list, so it does without chrono's general parser.
pub fn parse_stored(text: &str) -> Option<NaiveDateTime> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| {
        let digits = bytes.get(from..to)?;
        digits.iter().try_fold(0_u32, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))
    };
    let day = NaiveDate::from_ymd_opt(i32::try_from(number(0, 4)?).ok()?, number(5, 7)?, number(8, 10)?)?;
    let fraction = match bytes.len() {
        19 => 0,
        21..=26 if bytes[19] == b'.' => number(20, bytes.len())? * 10_u32.pow(u32::try_from(26 - bytes.len()).ok()?),
        _ => return None,
    };
    day.and_hms_micro_opt(number(11, 13)?, number(14, 16)?, number(17, 19)?, fraction)
}

/// Reads a date-time: with an offset as that instant, without one in the site's time zone.
pub fn parse_datetime(text: &str, zone: Tz) -> Option<NaiveDateTime> {
    let utc = match DateTime::parse_from_rfc3339(text.trim()) {
        Ok(at) => without_leap_second(at.naive_utc())?.trunc_subsecs(6),
        Err(_) => to_utc(parse_local(text)?, zone),
    };
    in_range(utc.date())?;
    Some(utc)
}

/// Site time to UTC. An hour that occurs twice is the first one; one that is skipped is read as if
/// the clocks had not changed yet.
pub fn to_utc(local: NaiveDateTime, zone: Tz) -> NaiveDateTime {
    match zone.from_local_datetime(&local) {
        MappedLocalTime::Single(at) | MappedLocalTime::Ambiguous(at, _) => at.naive_utc(),
        MappedLocalTime::None => {
            let day_before = local.checked_sub_signed(TimeDelta::days(1)).unwrap_or(local);
            match zone.from_local_datetime(&day_before) {
                MappedLocalTime::Single(at) | MappedLocalTime::Ambiguous(at, _) => {
                    at.naive_utc().checked_add_signed(TimeDelta::days(1)).unwrap_or(local)
                }
                MappedLocalTime::None => local,
            }
        }
    }
}

/// UTC to site time.
pub fn to_local(utc: NaiveDateTime, zone: Tz) -> NaiveDateTime {
    if zone == Tz::UTC {
        return utc;
    }
    zone.from_utc_datetime(&utc).naive_local()
}

/// Frappe's text form of a Datetime: a space, and six digits of fraction unless it is zero.
pub fn format_local(local: NaiveDateTime) -> String {
    use chrono::{Datelike as _, Timelike as _};
    let (year, month, day) = (local.year(), local.month(), local.day());
    let (hour, minute, second, micros) = (local.hour(), local.minute(), local.second(), local.nanosecond() / 1000);
    let whole = format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}");
    if micros == 0 { whole } else { format!("{whole}.{micros:06}") }
}

/// Reads a time of day, with or without seconds, as microseconds since midnight.
pub fn parse_time(text: &str) -> Option<i64> {
    let text = text.trim();
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let number = |part: &str| {
        (!part.is_empty() && part.len() <= 2 && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse::<i64>().ok()).flatten()
    };
    let mut parts = clock.split(':');
    let (hour, minute) = (number(parts.next()?)?, number(parts.next()?)?);
    let second = parts.next().map_or(Some(0), number)?;
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 59 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let micros = format!("{fraction:0<6}").get(..6)?.parse::<i64>().ok()?;
    Some(((hour * 60 + minute) * 60 + second) * 1_000_000 + micros)
}

/// Frappe's text form of a time of day: the hour has no leading zero, and a fraction of zero is left out.
pub fn format_time(micros: i64) -> String {
    let (seconds, fraction) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    let whole = format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if fraction == 0 { whole } else { format!("{whole}.{fraction:06}") }
}

/// A number with at most so many digits after the point. What lies exactly between two goes to the even one.
pub fn round(number: f64, digits: u8) -> f64 {
    // Numbers this large have no digits after the point.
    if number.abs() >= 9.0e15 {
        return number;
    }
    // Through decimal text, because multiplying would round twice.
    let rounded = format!("{number:.*}", usize::from(digits)).parse().unwrap_or(number);
    // -0.0 would compare equal to 0.0 but be shown differently.
    rounded + 0.0
}

/// Today in the site's time zone.
pub fn today(now: NaiveDateTime, zone: Tz) -> NaiveDate {
    to_local(now, zone).date()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn site_time_is_stored_as_utc_and_comes_back() {
        let zone = Tz::Asia__Kolkata;
        let stored = parse_datetime("2026-11-22 21:14:24.416544", zone).expect("valid");
        assert_eq!(stored.to_string(), "2026-11-22 15:44:24.416544");
        assert_eq!(format_local(to_local(stored, zone)), "2026-11-22 21:14:24.416544");
    }

    #[test]
    fn times_of_day_come_back_without_a_leading_zero() {
        for (sent, shown) in [("09:05:07", "9:05:07"), ("9:05", "9:05:00"), ("23:59:59.5", "23:59:59.500000"), ("0:00:00", "0:00:00")] {
            assert_eq!(parse_time(sent).map(format_time).as_deref(), Some(shown));
        }
        for bad in ["", "9", "24:00:00", "9:60:00", "9:00:61", "9:00:00:00", "-1:00:00", "9:00:00.x", "１:00:00"] {
            assert_eq!(parse_time(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_stored_form_is_read_with_any_number_of_digits() {
        for (stored, shown) in [
            ("2026-11-22 15:44:24", "2026-11-22 15:44:24"),
            ("2026-11-22 15:44:24.120", "2026-11-22 15:44:24.120000"),
            ("2026-11-22 15:44:24.416544", "2026-11-22 15:44:24.416544"),
            ("0001-01-01 00:00:00.000001", "0001-01-01 00:00:00.000001"),
        ] {
            assert_eq!(parse_stored(stored).map(format_local).as_deref(), Some(shown));
        }
        for bad in [
            "",
            "2026-11-22",
            "2026-11-22 15:44:24.",
            "2026-11-22 15:44:61",
            "2026-13-22 15:44:24",
            "2026-11-22 15:44:24.1234567",
            "é026-11-22 15:44:2",
        ] {
            assert_eq!(parse_stored(bad), None, "{bad}");
        }
    }

    #[test]
    fn offsets_are_honoured_and_nonsense_is_refused() {
        let stored = parse_datetime("2026-11-22T21:14:24+05:30", Tz::UTC).expect("valid");
        assert_eq!(format_local(stored), "2026-11-22 15:44:24");
        for leap in ["2030-01-01 23:59:60", "2030-01-01 23:59:60.5", "2030-01-01T23:59:60Z", "2030-01-01 00:00:60"] {
            assert_eq!(parse_datetime(leap, Tz::UTC), None, "{leap}");
        }
        for bad in ["notadate", "2026-13-01", "2026-02-30", "", "2026-11-22x", "99999-01-01", "2026-11-22 25:00:00"] {
            assert_eq!(parse_datetime(bad, Tz::UTC), None, "{bad}");
            assert_eq!(parse_date(bad).filter(|_| !bad.contains(':')), None, "{bad}");
        }
    }

    #[test]
    fn a_skipped_hour_and_a_repeated_hour_are_read_without_panic() {
        let zone = Tz::Europe__Berlin;
        assert_eq!(to_utc(parse_local("2026-03-29 02:30:00").expect("valid"), zone).to_string(), "2026-03-29 01:30:00");
        assert_eq!(to_utc(parse_local("2026-10-25 02:30:00").expect("valid"), zone).to_string(), "2026-10-25 00:30:00");
    }

    proptest! {
        #[test]
        fn no_text_makes_a_reader_panic(text in any::<String>()) {
            let _ = (parse_date(&text), parse_local(&text), parse_stored(&text), parse_time(&text), parse_datetime(&text, Tz::Europe__Berlin));
        }

        #[test]
        fn texts_that_look_like_times_are_read_or_refused(text in "[0-9]{1,5}[-:. T][0-9]{1,3}[-:. T+Z]{0,2}[0-9é]{0,8}[:.+Z]{0,2}[0-9]{0,9}") {
            let _ = (parse_date(&text), parse_local(&text), parse_stored(&text), parse_time(&text), parse_datetime(&text, Tz::Asia__Kolkata));
        }

        #[test]
        fn every_time_of_day_is_read_back_from_what_is_shown(micros in 0..86_400_000_000_i64) {
            prop_assert_eq!(parse_time(&format_time(micros)), Some(micros));
        }

        #[test]
        fn every_instant_is_read_back_from_what_is_shown(micros in -62_135_596_800_000_000..253_402_300_799_999_999_i64) {
            let at = chrono::DateTime::from_timestamp_micros(micros).expect("in range").naive_utc();
            prop_assert_eq!(parse_datetime(&format_local(at), Tz::UTC), Some(at));
            prop_assert_eq!(parse_stored(&format_local(at)), Some(at));
        }

        #[test]
        fn rounding_twice_is_rounding_once_and_stays_near(number in any::<f64>().prop_filter("finite", |number| number.is_finite()), digits in 0..10_u8) {
            let rounded = round(number, digits);
            prop_assert_eq!(round(rounded, digits), rounded);
            let step = 10_f64.powi(-i32::from(digits));
            prop_assert!((rounded - number).abs() <= step / 2.0 + number.abs() * f64::EPSILON);
        }
    }
}
