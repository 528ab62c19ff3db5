//! Reads `src/` and fails on an import that climbs a floor (style: floors), on a library named
//! outside its home, and on a file that has outgrown its room.
//!
//! It looks at tokens, not at meaning: every `crate::room`, and every `super::` chain that reaches
//! the crate's root, counts as an import of that room, in code and in test modules alike.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Room and floor, as the table in `src/lib.rs` has them.
const FLOORS: &[(&str, u8)] = &[
    ("main", 6),
    ("cli", 5),
    ("app", 5),
    ("frappe", 4),
    ("pages", 4),
    ("http", 4),
    ("sample_app", 4),
    ("auth", 3),
    ("oauth", 3),
    ("oidc", 3),
    ("resource", 3),
    ("search", 3),
    ("files", 3),
    ("background", 3),
    ("audit", 3),
    ("limits", 3),
    ("cx", 3),
    ("store", 2),
    ("fetch", 2),
    ("mail", 2),
    ("config", 2),
    ("telemetry", 2),
    ("domain", 1),
    ("doctype", 1),
    ("secrets", 1),
    ("error", 1),
];

/// The directions that are allowed inside a floor: who may import whom.
const ARROWS: &[(&str, &str)] = &[
    ("cli", "app"),
    ("frappe", "pages"),
    ("frappe", "http"),
    ("pages", "http"),
    ("oauth", "oidc"),
    // Rights on files are those on documents, and an upload may change the document it belongs to.
    ("files", "resource"),
    ("files", "auth"),
    // A search asks which documents may be read.
    ("search", "resource"),
    ("search", "auth"),
    // Every flow acts for an `auth::Caller`; `auth` itself imports none of them.
    ("resource", "auth"),
    // Adapters of OAuth's own doctypes write through the flows that own those rows.
    ("resource", "oauth"),
    ("oauth", "auth"),
    ("oidc", "auth"),
    // The environment carries the hooks that documents have.
    ("cx", "resource"),
    ("store", "config"),
    ("fetch", "config"),
    ("mail", "config"),
    ("telemetry", "config"),
    ("secrets", "domain"),
    // Two doctypes must not share the word by which a scope names them; links to users are folded as their names are.
    ("doctype", "domain"),
    // The one error of all flows: rules of a document are refused in its words.
    ("doctype", "error"),
];

/// Rooms of floor 3 that every flow may call.
const SHARED_BY_FLOWS: &[&str] = &["audit", "limits", "cx"];

/// Libraries that only some rooms name. The composition root binds actix's server, but renders nothing.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("diesel", &["store"]),
    ("diesel_migrations", &["store"]),
    ("libsqlite3_sys", &["store"]),
    ("oxide_auth", &["oauth"]),
    ("actix_web", &["app", "frappe", "pages", "http", "sample_app"]),
    ("actix_http", &["app", "frappe", "pages", "http", "sample_app"]),
    ("askama", &["frappe", "pages", "http", "sample_app"]),
    ("askama_web", &["frappe", "pages", "http", "sample_app"]),
    // The server goes out through one room; the sample app is another program that happens to be in the same binary.
    ("reqwest", &["fetch", "sample_app"]),
];

/// Lines (tests excluded) at which a file asks for a split, and at which it must be split.
const LONG: usize = 500;
const TOO_LONG: usize = 700;

#[test]
fn imports_only_go_down() {
    let mut wrong = String::new();
    for source in sources() {
        for import in source.imports() {
            if let Some(reason) = forbidden(&source.room, &import.room) {
                writeln!(wrong, "{}:{}: `{}` imports `{}`: {reason}", source.path.display(), import.line, source.room, import.room)
                    .expect("writing to a string");
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn libraries_are_named_only_in_their_homes() {
    let mut wrong = String::new();
    for source in sources() {
        for (library, homes) in LIBRARIES {
            for line in source.lines_naming(library) {
                if !homes.contains(&source.room.as_str()) {
                    writeln!(wrong, "{}:{line}: `{library}` belongs to {homes:?}", source.path.display()).expect("writing to a string");
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn every_room_is_on_the_floor_map_and_says_what_it_is_for() {
    let library = std::fs::read_to_string(root().join("lib.rs")).expect("src/lib.rs");
    let mut wrong = String::new();
    for source in sources().iter().filter(|source| source.is_front_door()) {
        if floor(&source.room).is_none() {
            writeln!(wrong, "src/{} is on no floor of this test", source.room).expect("writing to a string");
        }
        // The row of the table in src/lib.rs starts with the floor's number; `main` is no module of the library.
        let row = floor(&source.room).map(|floor| format!("//! | {floor} | "));
        let on_its_row =
            |line: &str| row.as_ref().is_some_and(|row| line.starts_with(row)) && line.contains(&format!("[`{}`]", source.room));
        if source.room != "main" && !library.lines().any(on_its_row) {
            writeln!(wrong, "the floor table in src/lib.rs does not have {} where this test has it", source.room)
                .expect("writing to a string");
        }
        if !source.text.starts_with("//!") {
            writeln!(wrong, "{} does not open with `//!`", source.path.display()).expect("writing to a string");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn no_file_outgrows_its_room() {
    let mut sizes: BTreeMap<usize, PathBuf> = BTreeMap::new();
    // Tests do not count, whether at the end of a file or in one of their own.
    for source in sources().into_iter().filter(|source| !source.path.ends_with("tests.rs")) {
        let lines = source.text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count();
        if lines > LONG {
            println!("{} has {lines} lines and asks for a split", source.path.display());
            sizes.insert(lines, source.path);
        }
    }
    let too_long: Vec<_> = sizes.range(TOO_LONG + 1..).collect();
    assert!(too_long.is_empty(), "longer than {TOO_LONG} lines: {too_long:?}");
}

#[test]
fn the_reader_understands_what_rust_allows() {
    let source = Source::new("src/oauth/grants/refresh.rs".into(), {
        r##"
        use crate::{store::{self, Conn}, domain::Scope, audit};
        use crate::http::respond;  // use crate::cli;
        use super::super::frappe; /* use crate::app; /* nested */ use crate::app; */
        use super::super::super::pages::login;
        const TEXT: &str = "use crate::app;"; const RAW: &str = r#"crate::app::x"#; const C: char = '"';
        fn f<'a>(x: &'a crate::oidc::Claims) -> diesel::QueryResult<()> { not_diesel::x() }
        mod tests { use super::*; use super::super::Grant; }
        "##
        .to_owned()
    });
    let rooms: Vec<_> = source.imports().into_iter().map(|import| import.room).collect();
    assert_eq!(rooms, ["store", "domain", "audit", "http", "pages", "oidc"]);
    assert_eq!(source.lines_naming("diesel"), [7]);
    assert!(forbidden("oauth", "store").is_none() && forbidden("oauth", "audit").is_none() && forbidden("oauth", "oidc").is_none());
    assert!(forbidden("oauth", "http").is_some() && forbidden("oidc", "oauth").is_some() && forbidden("cli", "frappe").is_some());
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn floor(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

/// Why `from` must not import `to`.
fn forbidden(from: &str, to: &str) -> Option<String> {
    if from == to {
        return None;
    }
    if to == "frappe" && from != "app" {
        return Some("only app.rs may; flows and pages must work with that room deleted".into());
    }
    let (Some(above), Some(below)) = (floor(from), floor(to)) else { return Some("a room that is on no floor".into()) };
    let arrow = ARROWS.contains(&(from, to)) || (above == 3 && SHARED_BY_FLOWS.contains(&to));
    if above > below || arrow {
        return None;
    }
    Some(if above < below {
        format!("floor {above} must not know floor {below}")
    } else {
        format!("no arrow leads there inside floor {above}")
    })
}

fn sources() -> Vec<Source> {
    let mut pending = vec![root()];
    let mut found = Vec::new();
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(&directory).expect("src/ can be read") {
            let path = entry.expect("src/ can be read").path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && path != root().join("lib.rs") {
                let text = std::fs::read_to_string(&path).expect("sources are UTF-8");
                let shown = Path::new("src").join(path.strip_prefix(root()).expect("below src/"));
                found.push(Source::new(shown, text));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

struct Source {
    path: PathBuf,
    room: String,
    text: String,
    tokens: Vec<Token>,
}

struct Token {
    text: String,
    line: usize,
}

struct Import {
    room: String,
    line: usize,
}

impl Source {
    fn new(path: PathBuf, text: String) -> Self {
        let first = path.iter().nth(1).expect("below src/").to_string_lossy();
        let room = first.trim_end_matches(".rs").to_owned();
        let tokens = tokens(&text);
        Self { path, room, text, tokens }
    }

    /// Whether this file is where a room begins: `room.rs` or `room/mod.rs`.
    fn is_front_door(&self) -> bool {
        let depth = self.path.iter().count();
        depth == 2 || (depth == 3 && self.path.ends_with("mod.rs"))
    }

    /// How many `super` lead from this file to the crate's root.
    fn depth(&self) -> usize {
        let below_src = self.path.iter().count() - 1;
        if self.path.ends_with("mod.rs") { below_src - 1 } else { below_src }
    }

    fn at(&self, index: usize) -> &str {
        self.tokens.get(index).map_or("", |token| token.text.as_str())
    }

    fn imports(&self) -> Vec<Import> {
        let mut found = Vec::new();
        let mut index = 0;
        while index < self.tokens.len() {
            let start = index;
            let reaches_root = match self.at(index) {
                "crate" | "ostiary" => true,
                "super" => {
                    let mut climbs = 1;
                    while self.at(index + 1) == "::" && self.at(index + 2) == "super" {
                        climbs += 1;
                        index += 2;
                    }
                    climbs >= self.depth() + self.inline_modules_around(start)
                }
                _ => false,
            };
            // `$crate` and `pub(crate)` are no imports: only a path goes on with `::`.
            if reaches_root && self.at(index + 1) == "::" {
                self.take_rooms(index + 2, &mut found);
            }
            index += 1;
        }
        found
    }

    /// The rooms named at `index`: one, or the first words of a `{..}` group.
    fn take_rooms(&self, index: usize, found: &mut Vec<Import>) {
        let mut take = |index: usize| {
            let Some(token) = self.tokens.get(index) else { return };
            // Types and macros at the root (there are none but rooms) would start upper case or end in `!`.
            if token.text.starts_with(|c: char| c.is_ascii_lowercase()) && self.at(index + 1) != "!" && token.text != "super" {
                found.push(Import { room: token.text.clone(), line: token.line });
            }
        };
        if self.at(index) != "{" {
            return take(index);
        }
        let mut depth = 0;
        for index in index..self.tokens.len() {
            match self.at(index) {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ if depth == 1 && matches!(self.at(index - 1), "{" | ",") => take(index),
                _ => {}
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// How many `mod name { .. }` enclose a token.
    fn inline_modules_around(&self, index: usize) -> usize {
        let mut open = Vec::new();
        for position in 0..index {
            match self.at(position) {
                "{" => open.push(position >= 2 && self.at(position - 2) == "mod"),
                "}" => drop(open.pop()),
                _ => {}
            }
        }
        open.iter().filter(|is_module| **is_module).count()
    }

    fn lines_naming(&self, library: &str) -> Vec<usize> {
        (0..self.tokens.len())
            .filter(|&index| self.at(index) == library)
            // A path that starts with it, or `use it;`, but not a field or a module of our own by that name.
            .filter(|&index| self.at(index + 1) == "::" || self.at(index.wrapping_sub(1)) == "use")
            .filter(|&index| self.at(index.wrapping_sub(1)) != "::")
            .map(|index| self.tokens[index].line)
            .collect()
    }
}

/// Words, `::` and single punctuation; comments, strings and character literals left out.
fn tokens(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut line = 1;
    let mut index = 0;
    while index < bytes.len() {
        let rest = &text[index..];
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = string_literal(rest) {
            length
        } else if rest.starts_with("::") {
            found.push(Token { text: "::".into(), line });
            2
        } else {
            let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            let length = if word > 0 { word } else { rest.chars().next().map_or(1, char::len_utf8) };
            if !rest[..length].trim().is_empty() {
                found.push(Token { text: rest[..length].to_owned(), line });
            }
            length
        };
        line += rest[..length].matches('\n').count();
        index += length;
    }
    found
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut index = 0;
    while index < rest.len() {
        if rest[index..].starts_with("/*") {
            depth += 1;
            index += 2;
        } else if rest[index..].starts_with("*/") {
            depth -= 1;
            index += 2;
            if depth == 0 {
                return index;
            }
        } else {
            index += rest[index..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// The length of a string or character literal that starts here; lifetimes are none.
fn string_literal(rest: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| {
        rest.strip_prefix(prefix)
            .is_some_and(|after| after.starts_with(['"', '#', '\'']) && (!after.starts_with('#') || prefix.ends_with('r')))
    })?;
    let after = &rest[prefix.len()..];
    if prefix.ends_with('r') {
        let hashes = after.bytes().take_while(|byte| *byte == b'#').count();
        if !after[hashes..].starts_with('"') {
            return None;
        }
        let end = format!("\"{}", "#".repeat(hashes));
        let body = &after[hashes + 1..];
        return Some(prefix.len() + hashes + 1 + body.find(&end).map_or(body.len(), |at| at + end.len()));
    }
    let quote = after.as_bytes()[0];
    if quote == b'\'' {
        // 'x' and '\n' are characters, 'a in &'a is not.
        let mut characters = after[1..].char_indices();
        let (_, first) = characters.next()?;
        if first != '\\' {
            let (at, second) = characters.next()?;
            return (second == '\'').then_some(prefix.len() + 1 + at + 1);
        }
    } else if quote != b'"' {
        return None;
    }
    let mut escaped = false;
    for (at, byte) in after.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            _ if byte == quote => return Some(prefix.len() + at + 1),
            _ => {}
        }
    }
    Some(rest.len())
}
