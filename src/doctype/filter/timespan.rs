//! Frappe's words for ranges of days (`docs/semantics.md`, "Operators").

use chrono::{Datelike as _, Days, Months, NaiveDate};

/// The first and the last day that a word means, both included; `None` for what is no such word.
pub(super) fn days(words: &str, today: NaiveDate) -> Option<(NaiveDate, NaiveDate)> {
    let words = words.trim().to_lowercase();
    let (which, unit) = match words.as_str() {
        "today" => return Some((today, today)),
        "yesterday" => return one_day(today.checked_sub_days(Days::new(1))?),
        "tomorrow" => return one_day(today.checked_add_days(Days::new(1))?),
        other => other.split_once(' ')?,
    };
    let number_of_days = match unit {
        "7 days" => Some(7),
        "14 days" => Some(14),
        "30 days" => Some(30),
        "90 days" => Some(90),
        _ => None,
    };
    match (which, unit, number_of_days) {
        ("last", _, Some(number)) => Some((today.checked_sub_days(Days::new(number))?, today)),
        ("next", _, Some(number)) => Some((today, today.checked_add_days(Days::new(number))?)),
        ("last", "6 months", _) => Some((quarter(months(today, -6)?)?.0, quarter(months(today, -3)?)?.1)),
        ("next", "6 months", _) => Some((quarter(months(today, 3)?)?.0, quarter(months(today, 6)?)?.1)),
        ("last", unit, _) => period(unit, today, -1),
        ("this", unit, _) => period(unit, today, 0),
        ("next", unit, _) => period(unit, today, 1),
        _ => None,
    }
}

/// What the older operators `previous` and `next` take, as the words of a timespan.
pub(super) fn legacy(operator: &str, value: &str) -> Option<String> {
    let which = if operator == "next" { "next" } else { "last" };
    let unit = match value.trim().to_lowercase().as_str() {
        "1 week" => "week",
        "1 month" => "month",
        "3 months" => "quarter",
        "6 months" => "6 months",
        "1 year" => "year",
        _ => return None,
    };
    Some(format!("{which} {unit}"))
}

fn one_day(day: NaiveDate) -> Option<(NaiveDate, NaiveDate)> {
    Some((day, day))
}

/// The week, month, quarter or year that is so many of them away.
fn period(unit: &str, today: NaiveDate, away: i32) -> Option<(NaiveDate, NaiveDate)> {
    match unit {
        "week" => {
            let sunday = today.checked_sub_days(Days::new(today.weekday().num_days_from_sunday().into()))?;
            let first = sunday.checked_add_signed(chrono::TimeDelta::days(i64::from(away) * 7))?;
            Some((first, first.checked_add_days(Days::new(6))?))
        }
        "month" => {
            let day = months(today, away)?;
            span(day.year(), day.month(), 1)
        }
        "quarter" => quarter(months(today, away * 3)?),
        "year" => span(today.year() + away, 1, 12),
        _ => None,
    }
}

fn quarter(day: NaiveDate) -> Option<(NaiveDate, NaiveDate)> {
    span(day.year(), (day.month() - 1) / 3 * 3 + 1, 3)
}

/// So many months from the first day of one.
fn span(year: i32, month: u32, number: u32) -> Option<(NaiveDate, NaiveDate)> {
    let first = NaiveDate::from_ymd_opt(year, month, 1)?;
    Some((first, first.checked_add_months(Months::new(number))?.pred_opt()?))
}

/// The same day so many months away, or the last one of a shorter month.
fn months(day: NaiveDate, away: i32) -> Option<NaiveDate> {
    let number = Months::new(away.unsigned_abs());
    if away < 0 { day.checked_sub_months(number) } else { day.checked_add_months(number) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_mean_whole_days_around_today() {
        // A Tuesday.
        let today = NaiveDate::from_ymd_opt(2026, 3, 31).expect("valid");
        for (words, first, last) in [
            ("today", "2026-03-31", "2026-03-31"),
            ("yesterday", "2026-03-30", "2026-03-30"),
            ("tomorrow", "2026-04-01", "2026-04-01"),
            ("last 7 days", "2026-03-24", "2026-03-31"),
            ("last 14 days", "2026-03-17", "2026-03-31"),
            ("next 30 days", "2026-03-31", "2026-04-30"),
            ("last week", "2026-03-22", "2026-03-28"),
            ("This Week", "2026-03-29", "2026-04-04"),
            ("next week", "2026-04-05", "2026-04-11"),
            ("last month", "2026-02-01", "2026-02-28"),
            ("next month", "2026-04-01", "2026-04-30"),
            ("last quarter", "2025-10-01", "2025-12-31"),
            ("this quarter", "2026-01-01", "2026-03-31"),
            ("next quarter", "2026-04-01", "2026-06-30"),
            ("last 6 months", "2025-07-01", "2025-12-31"),
            ("next 6 months", "2026-04-01", "2026-09-30"),
            ("last year", "2025-01-01", "2025-12-31"),
            ("this year", "2026-01-01", "2026-12-31"),
            ("next year", "2027-01-01", "2027-12-31"),
        ] {
            let found = days(words, today).map(|(first, last)| (first.to_string(), last.to_string()));
            assert_eq!(found, Some((first.to_owned(), last.to_owned())), "{words}");
        }
        for none in ["", "last", "last decade", "this 7 days", "this 6 months", "next 5 days", "last  week"] {
            assert_eq!(days(none, today), None, "{none}");
        }
        assert_eq!(legacy("previous", "3 Months").as_deref(), Some("last quarter"));
        assert_eq!(legacy("next", "1 week").as_deref(), Some("next week"));
        assert_eq!(legacy("next", "2 weeks"), None);
    }

    #[test]
    fn the_ends_of_the_calendar_are_no_panic() {
        for today in [NaiveDate::MIN, NaiveDate::MAX] {
            for words in ["yesterday", "tomorrow", "last week", "next week", "last year", "next 6 months", "last 90 days", "next quarter"] {
                let _ = days(words, today);
            }
        }
    }
}
