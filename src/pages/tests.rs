//! Every page with values that try to break out of their place.

use askama::Template;

use super::*;
use crate::domain::Scope;

const HOSTILE: [&str; 8] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onclick='alert(1)' x='",
    "</title></textarea></style><h1>owned</h1>",
    "\u{202e}ppA elgooG\u{2066}\u{200f}",
    "&lt;b&gt; &amp; &#x3c;i&#x3e;",
    "{{ csrf_token }}{% raw %}",
    "\0\u{7f}\r\nSet-Cookie: a=b",
];

/// Every page, with `text` wherever somebody else chooses what stands there.
fn pages(text: &str) -> Vec<(&'static str, String)> {
    let text = || text.to_owned();
    let login = |error, app_name, usr| {
        let view = LoginView { site_name: text(), redirect_to: text(), usr, error, app_name };
        view.render().expect("renders")
    };
    let consent = |destination, verified| {
        let scopes = vec![
            ScopeLine { title: text(), detail: None, weight: Weight::Ordinary },
            ScopeLine { title: text(), detail: Some("Detail."), weight: Weight::Broad },
            ScopeLine { title: text(), detail: None, weight: Weight::Dangerous },
        ];
        let view = ConsentView {
            site_name: text(),
            app_name: text(),
            logo: WebLink::new(&format!("https://app.example/{}", text())).filter(|_| verified),
            destination,
            described_at: Some(text()),
            only_local: !verified,
            verified,
            client_uri: WebLink::new(&format!("https://app.example/?{}", text())),
            tos_uri: WebLink::new(&format!("https://app.example/#{}", text())),
            policy_uri: WebLink::new(&text()),
            at: Some(if verified {
                Place::Elsewhere { title: text(), place: text() }
            } else {
                Place::Here { title: Some(text()), path: text() }
            }),
            known: if verified { Vec::new() } else { scopes.clone() },
            scopes,
            scope_text: text(),
            legacy_no_pkce: !verified,
            user_full_name: text(),
            user_email: format!("{}@example.com", text()),
            switch_user_to: text(),
            pending_id: text(),
            csrf_token: text(),
        };
        view.render().expect("renders")
    };
    let form_post = FormPostView {
        site_name: text(),
        app_name: text(),
        redirect_uri: format!("https://app.example/{}", text()),
        fields: vec![("code".into(), text()), (text(), text())],
    };
    let link = Some(MessageLink { label: text(), path: text() });
    let error =
        ErrorView { site_name: text(), title: text(), heading: text(), message: text(), advice: text(), link, request_id: Some(text()) };
    let link = Some(MessageLink { label: text(), path: format!("/{}", text()) });
    let onward = Some(Onward::to(format!("https://app.example/{}", text())));
    let message = MessageView { site_name: text(), title: text(), message: text(), link, onward };
    let logout = LogoutView {
        site_name: text(),
        user_full_name: text(),
        user_email: format!("{}@example.com", text()),
        csrf_token: text(),
        app_name: Some(text()),
        action: paths::END_SESSION,
        fields: vec![(text(), text())],
    };
    let app = |destination, verified: bool| AppLine {
        client_id: text(),
        app_name: text(),
        described_at: (!verified).then(text),
        destination,
        verified,
        trusted: verified,
        access: [None, Some(Place::Here { title: Some(text()), path: text() }), Some(Place::Elsewhere { title: text(), place: text() })]
            .into_iter()
            .map(|at| AccessLine { at, scopes: vec![ScopeLine { title: text(), detail: Some("Detail."), weight: Weight::Broad }] })
            .collect(),
        since: "3 March 2026".into(),
        last_login: verified.then(|| "4 March 2026".into()),
    };
    let apps = |apps, withdrawn| {
        let view = AppsView {
            site_name: text(),
            user_full_name: text(),
            user_email: format!("{}@example.com", text()),
            csrf_token: text(),
            withdrawn,
            apps,
        };
        view.render().expect("renders")
    };
    let all_apps = vec![
        app(Some(Destination::Web(text())), true),
        app(Some(Destination::Local(text())), false),
        app(Some(Destination::App(text())), false),
        app(None, true),
    ];
    let home = HomeView { site_name: text(), user_full_name: text(), user_email: format!("{}@example.com", text()), csrf_token: text() };
    vec![
        ("login", login(None, None, String::new())),
        ("login refused", login(Some(text()), Some(text()), text())),
        ("consent web", consent(Destination::Web(text()), true)),
        ("consent local", consent(Destination::Local(text()), false)),
        ("consent app", consent(Destination::App(text()), false)),
        ("form_post", form_post.render().expect("renders")),
        ("error", error.render().expect("renders")),
        ("message", message.render().expect("renders")),
        ("logout", logout.render().expect("renders")),
        ("home", home.render().expect("renders")),
        ("no apps", apps(Vec::new(), true)),
        ("apps", apps(all_apps, false)),
    ]
}

/// The tags of a page with the names of their attributes, and the text between them.
fn skeleton(html: &str) -> (Vec<String>, String) {
    let (mut tags, mut text, mut rest) = (Vec::new(), String::new(), html);
    while let Some(start) = rest.find('<') {
        text.push_str(&rest[..start]);
        let (mut tag, mut quote, mut end) = (String::new(), None, rest.len());
        for (at, letter) in rest[start + 1..].char_indices() {
            match (quote, letter) {
                (None, '>') => {
                    end = start + at + 2;
                    break;
                }
                (None, '"' | '\'') => quote = Some(letter),
                (None, _) => tag.push(letter),
                (Some(open), _) if open == letter => quote = None,
                (Some(_), _) => {}
            }
        }
        tags.push(tag);
        rest = &rest[end..];
    }
    text.push_str(rest);
    (tags, text)
}

#[test]
fn hostile_values_stay_inside_their_elements() {
    let harmless = pages("harmless");
    for hostile in HOSTILE {
        for ((page, expected), (_, html)) in harmless.iter().zip(pages(hostile)) {
            let (tags, text) = skeleton(&html);
            assert_eq!(tags, skeleton(expected).0, "{page} with {hostile:?}");
            let foreign = text.chars().find(|&c| {
                (c.is_control() && c != '\n') || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            });
            assert_eq!(foreign, None, "{page} with {hostile:?}");
        }
    }
}

#[test]
fn very_long_names_are_cut() {
    for (page, html) in pages(&"W".repeat(5000)) {
        let (_, text) = skeleton(&html);
        let longest = text.split_whitespace().map(str::len).max();
        assert!(longest <= Some(2010), "{page}: a word of {longest:?} letters");
        let heading = html.split("<h1>").nth(1).and_then(|tail| tail.split("</h1>").next()).expect("every page has a heading");
        assert!(heading.len() < 220, "{page}: a heading of {} letters", heading.len());
    }
}

#[test]
fn pages_carry_nothing_that_a_strict_policy_blocks() {
    for (page, html) in pages("harmless") {
        let (tags, _) = skeleton(&html);
        for tag in &tags {
            let attributes: Vec<&str> = tag.split_whitespace().skip(1).collect();
            assert!(!attributes.iter().any(|name| name.starts_with("on") || name.starts_with("style")), "{page}: <{tag}>");
        }
        assert!(!html.contains("<style"), "{page}");
        assert_eq!(tags.iter().any(|tag| tag.starts_with("script")), page == "form_post", "{page}");
        for url in html.split("/static/").skip(1).filter_map(|tail| tail.split(['?', '"']).next()) {
            assert!(assets::find(url).is_some(), "{page}: /static/{url}");
        }
    }
}

#[test]
fn every_visible_field_has_a_label_and_a_refused_login_says_why_at_its_fields() {
    let pages = pages("harmless");
    let (_, refused) = pages.iter().find(|(page, _)| *page == "login refused").expect("in the list");
    for id in ["usr", "pwd"] {
        assert!(refused.contains(&format!("<label for=\"{id}\">")) && refused.contains(&format!("id=\"{id}\"")));
    }
    assert_eq!(refused.matches("aria-describedby=\"login-error\"").count(), 2);
    assert_eq!(refused.matches("id=\"login-error\"").count(), 1);
}

#[test]
fn consent_shows_who_asks_what_for_and_for_whom() {
    let view = ConsentView {
        site_name: "Site".into(),
        app_name: "Tally".into(),
        logo: None,
        destination: Destination::of("https://tally.example/cb"),
        described_at: Some("about.tally.example".into()),
        only_local: false,
        verified: false,
        client_uri: None,
        tos_uri: None,
        policy_uri: None,
        at: Some(Place::of("https://mcp.example:8443/tools", Some("Tool Box".into()), true)),
        scopes: scope_lines(&Scope::parse("openid all admin:credentials").expect("valid"), |_| None),
        known: scope_lines(&Scope::parse("email").expect("valid"), |_| None),
        scope_text: "openid all admin:credentials".into(),
        legacy_no_pkce: true,
        user_full_name: "Ada Agent".into(),
        user_email: "agent@example.com".into(),
        switch_user_to: "/api/method/frappe.integrations.oauth2.authorize?client_id=c".into(),
        pending_id: "pending".into(),
        csrf_token: "token".into(),
    };
    let html = view.render().expect("renders");
    for part in [
        "Tally",
        "<bdi>tally.example</bdi>",
        "<bdi>about.tally.example</bdi>",
        "Not verified",
        "Tool Box",
        "mcp.example:8443/tools",
        "and not for Site itself",
        "Older login",
        "Careful:",
        "Ada Agent",
        "agent@example.com",
        "id=\"allow\" name=\"decision\" value=\"allow\"",
        "id=\"deny\" name=\"decision\" value=\"deny\"",
        "name=\"request\" value=\"pending\"",
        "openid all admin:credentials",
        "see your e-mail address",
        "href=\"/me/apps\"",
    ] {
        assert!(html.contains(part), "{part} is missing");
    }
}
