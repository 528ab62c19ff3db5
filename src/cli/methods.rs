//! `ostiary methods`: the table of API methods.

use super::table::table;
use crate::app;

pub(super) fn run() -> String {
    let rows: Vec<[String; 4]> = app::methods()
        .map(|method| {
            let scopes: Vec<&str> = ["all"].into_iter().chain(method.scopes.iter().copied()).collect();
            let guest = if method.guest { "yes" } else { "no" };
            [method.path.to_owned(), guest.to_owned(), method.verbs.join(" "), scopes.join(" ")]
        })
        .collect();
    let mut text = table(["method", "guest", "verbs", "scopes"], &rows, "No methods.");
    text.push_str("\nA bearer token also reaches a method by its own scope, method:<name>.\n");
    text
}
