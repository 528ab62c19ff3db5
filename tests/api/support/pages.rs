//! A scripted browser's way through our pages: what a person would press, without one.

use super::{Caller, Reply};

/// Presses a button of the consent page: `allow` or `deny`.
pub async fn decide(browser: &Caller, page: &Reply, decision: &str) -> Reply {
    assert_eq!(page.status, 200, "a consent page: {}", page.text());
    let html = page.text();
    let form = html.split("<form").find(|form| form.contains(r#"name="request""#)).unwrap_or_else(|| panic!("no consent form in {html}"));
    let action = attribute(form, "action").expect("the form's action");
    let fields = form.split("<input").skip(1).filter_map(|input| Some((attribute(input, "name")?, attribute(input, "value")?)));
    let fields: Vec<_> = fields.chain([("decision", decision)]).collect();
    browser.post(action).form(&fields).send().await
}

/// An attribute of the first tag of `text`. Only for values that need no unescaping, as ids and tokens do.
fn attribute<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let tag = text.split('>').next()?;
    let value = tag.split_once(&format!(" {name}=\""))?.1;
    value.split('"').next()
}
