//! `ostiary methods`: the table of API methods.

use super::table::table;
use crate::app;
use crate::config::LimitsConfig;
use crate::domain::limit::Quota;
use crate::limits::Limits;

/// What stands in a cell that has nothing to say.
const NOTHING: &str = "-";

pub(super) fn run(limits: &LimitsConfig) -> String {
    let rows: Vec<[String; 6]> = app::methods()
        .map(|method| {
            let guest = if method.guest { "yes" } else { "no" };
            let list = |words: &[&str], between: &str| if words.is_empty() { NOTHING.to_owned() } else { words.join(between) };
            let Quota { count, period } = Limits::quota(limits, method.limit);
            let limit = format!("{} {count}/{} s", method.limit.name(), period.as_secs());
            [method.path.to_owned(), guest.to_owned(), list(method.roles, ", "), list(&method.scopes, " "), method.verbs.join(" "), limit]
        })
        .collect();
    let mut text = table(["method", "guest", "roles", "scopes", "verbs", "limit"], &rows, "No methods.");
    text.push_str("\nA bearer token also reaches a method by its own scope, method:<name>, unless one scope alone is named. Where <doctype> is named, the token's scope must reach every doctype that a call touches. Every call counts for the limit request.\n");
    text
}
