//! The words of documents and of searches: which fields are searched, how their text is cut into
//! words, and how words are folded, so that both databases compare the same ones.
//!
//! Pure. What a search means is in `docs/semantics.md`.

use std::borrow::Cow;
use std::collections::BTreeSet;

use icu_normalizer::DecomposingNormalizerBorrowed;
use serde_json::{Map, Value};

use super::{DocType, Field, FieldType, Rows};
use crate::domain::scope::doctype_word;

/// Letters of a field's text that are searched.
const MAX_TEXT: usize = 20_000;
/// Letters of a word that count.
const MAX_WORD: usize = 64;
/// Different words of a document that are searched.
const MAX_WORDS: usize = 4_000;
/// Begins the word that stands for a doctype; no text has such a word, because it is no letter.
const DOCTYPE: char = '\u{E000}';
/// Stands in it for what parts words.
const GAP: &str = "\u{E001}";

/// The fields of a doctype that everybody who may read a document may read, and that are searched: its title, its search
/// fields and those marked for it. Empty where nothing is searched at all.
pub fn searched_fields(doctype: &DocType) -> Vec<&Field> {
    // What is only written beside other documents would be found instead of them.
    const ABOUT_OTHERS: [&str; 8] =
        ["Activity Log", "API Request Log", "Comment", "DocShare", "Error Log", "Tag Link", "User Permission", "Version"];
    // Rows of a child table are no documents, a single is found by its name, and what the server itself reasons about has lists of its own.
    if doctype.rows == Rows::Typed || doctype.is_child_table || doctype.is_single || ABOUT_OTHERS.contains(&doctype.name.as_str()) {
        return Vec::new();
    }
    let is_searched = |field: &&Field| {
        let named = doctype.title_field.as_deref() == Some(field.fieldname.as_str()) || doctype.search_fields.contains(&field.fieldname);
        (named || field.in_global_search) && field.permlevel == 0 && field.kind().is_some() && !field.write_only
    };
    doctype.fields.iter().filter(is_searched).collect()
}

/// Says which fields are searched and how: another text means that the documents are to be looked at anew.
pub fn signature(doctype: &DocType) -> Option<String> {
    /// Grows when texts are cut or folded differently.
    const VERSION: u32 = 1;
    let fields = searched_fields(doctype);
    let described = |field: &Field| format!("{}{}", field.fieldname, if is_markup(field) { "<>" } else { "" });
    (!fields.is_empty()).then(|| format!("{VERSION} {}", fields.into_iter().map(described).collect::<Vec<_>>().join(" ")))
}

fn is_markup(field: &Field) -> bool {
    matches!(field.fieldtype, FieldType::TextEditor | FieldType::HtmlEditor)
}

/// The text of a field as it is searched and shown: without tags where it has some.
pub fn searched_text(field: &Field, value: Option<&Value>) -> String {
    let text = match value {
        Some(Value::String(text)) => Cow::Borrowed(text.as_str()),
        Some(Value::Number(number)) => Cow::Owned(number.to_string()),
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => return String::new(),
    };
    // Seldom are there more bytes than letters count.
    let end = if text.len() > MAX_TEXT { text.char_indices().nth(MAX_TEXT).map(|(end, _)| end) } else { None };
    let text = &text[..end.unwrap_or(text.len())];
    if is_markup(field) { without_tags(text) } else { text.to_owned() }
}

/// The words of a document, each once, with spaces between: what a database keeps.
pub fn terms_of(doctype: &DocType, document: &Map<String, Value>) -> String {
    let mut terms = BTreeSet::new();
    let name = match document.get("name") {
        Some(Value::String(name)) => name.clone(),
        Some(Value::Number(name)) => name.to_string(),
        _ => String::new(),
    };
    let texts = searched_fields(doctype).into_iter().map(|field| searched_text(field, document.get(&field.fieldname)));
    for text in std::iter::once(name).chain(texts) {
        for word in words(&text) {
            if terms.len() >= MAX_WORDS {
                break;
            }
            terms.insert(word.folded.into_owned());
        }
    }
    let mut all = doctype_term(&doctype.name);
    for term in terms {
        all.push(' ');
        all.push_str(&term);
    }
    all
}

/// The word that every document of a doctype has and no text.
pub fn doctype_term(doctype: &str) -> String {
    format!("{DOCTYPE}{}", doctype_word(doctype).replace(|letter: char| letter.is_ascii() && !letter.is_ascii_alphanumeric(), GAP))
}

/// A word of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word<'a> {
    /// As it is compared; most words are so already.
    pub folded: Cow<'a, str>,
    /// Where it begins and ends in the text, in bytes.
    pub start: usize,
    pub end: usize,
}

/// Cuts a text into words: runs of letters and digits. Scripts that put no spaces between words are cut into letters.
pub fn words(text: &str) -> impl Iterator<Item = Word<'_>> {
    let mut rest = text.char_indices().peekable();
    std::iter::from_fn(move || {
        loop {
            let (start, first) = rest.next()?;
            if !is_of_word(first) {
                continue;
            }
            let mut end = start + first.len_utf8();
            if !stands_alone(first) {
                while let Some((at, letter)) = rest.next_if(|(_, letter)| is_of_word(*letter) && !stands_alone(*letter)) {
                    end = at + letter.len_utf8();
                }
            }
            let folded = fold(&text[start..end]);
            // A mark alone is nothing once it is folded.
            if !folded.is_empty() {
                return Some(Word { folded, start, end });
            }
        }
    })
}

fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || is_mark(letter)
}

/// Marks of Latin, Greek and Cyrillic letters; elsewhere a mark makes another letter.
fn is_mark(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{36F}')
}

/// Han, Hiragana and Katakana.
fn stands_alone(letter: char) -> bool {
    matches!(letter, '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

/// A word as it is compared: without case and marks, in its plainest letters.
fn fold(word: &str) -> Cow<'_, str> {
    if word.is_ascii() {
        let word = &word[..word.len().min(MAX_WORD)];
        let is_folded = !word.bytes().any(|letter| letter.is_ascii_uppercase());
        return if is_folded { Cow::Borrowed(word) } else { Cow::Owned(word.to_ascii_lowercase()) };
    }
    let mut folded = String::with_capacity(word.len());
    for letter in DecomposingNormalizerBorrowed::new_nfkd().normalize(word).chars().flat_map(char::to_lowercase) {
        match letter {
            letter if is_mark(letter) => {}
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            'đ' => folded.push('d'),
            'ı' => folded.push('i'),
            'ς' => folded.push('σ'),
            // What a letter is taken apart into may have signs that part words.
            letter if letter.is_ascii() && !letter.is_ascii_alphanumeric() => {}
            letter if letter.is_whitespace() || letter.is_control() => {}
            letter => folded.push(letter),
        }
    }
    if let Some((end, _)) = folded.char_indices().nth(MAX_WORD) {
        folded.truncate(end);
    }
    Cow::Owned(folded)
}

/// The text between tags, with a space for each tag.
fn without_tags(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        plain.push_str(&rest[..start]);
        let after = &rest[start + 1..];
        // A sign that begins no tag is one of the text.
        if !after.starts_with(|letter: char| letter.is_ascii_alphabetic() || matches!(letter, '/' | '!')) {
            plain.push('<');
            rest = after;
            continue;
        }
        plain.push(' ');
        let Some(end) = after.find('>') else {
            rest = "";
            break;
        };
        rest = &after[end + 1..];
    }
    plain.push_str(rest);
    if plain.contains('&') {
        for (entity, letter) in [("&nbsp;", " "), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")] {
            plain = plain.replace(entity, letter);
        }
    }
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> Vec<String> {
        words(text).map(|word| word.folded.into_owned()).collect()
    }

    #[test]
    fn words_are_cut_and_folded() {
        assert_eq!(folded("Crème brûlée, s'il-vous_plaît!"), ["creme", "brulee", "s", "il", "vous", "plait"]);
        assert_eq!(folded("HD-00012 a@b.example"), ["hd", "00012", "a", "b", "example"]);
        assert_eq!(folded("Straße ŁÓDŹ Ægir İstanbul ΟΔΟΣ ЁЖ"), ["strasse", "lodz", "aegir", "istanbul", "οδοσ", "еж"]);
        assert_eq!(folded("cre\u{300}me ﬁne ①"), ["creme", "fine", "1"]);
        assert_eq!(folded("東京タワー go"), ["東", "京", "タ", "ワ", "ー", "go"]);
        assert_eq!(folded("\u{301} -- \u{E000}hd"), ["hd"]);
        assert_eq!(folded("हिन्दी").len(), folded("हिन्दी x").len() - 1);
        assert_eq!(folded(&"x".repeat(500))[0].len(), MAX_WORD);
    }

    #[test]
    fn a_word_says_where_it_stands() {
        let text = "Ein Käse!";
        let found: Vec<&str> = words(text).map(|word| &text[word.start..word.end]).collect();
        assert_eq!(found, ["Ein", "Käse"]);
    }

    #[test]
    fn tags_are_no_text() {
        assert_eq!(without_tags("<p class=\"x\">a<b>b</b></p> 1 < 2 &amp;amp; <br"), "a b 1 < 2 &amp;");
    }

    #[test]
    fn only_fields_that_every_reader_may_read_are_searched() {
        let text = r#"{"doctype":"DocType","name":"Thing","title_field":"label","search_fields":"code, secret, hidden","fields":[
            {"fieldname":"label","fieldtype":"Data"},{"fieldname":"code","fieldtype":"Int"},{"fieldname":"secret","fieldtype":"Password"},
            {"fieldname":"hidden","fieldtype":"Data","permlevel":1},{"fieldname":"more","fieldtype":"Text Editor","in_global_search":1},
            {"fieldname":"other","fieldtype":"Data"}]}"#;
        let doctype = DocType::parse("thing.json", text, super::super::Origin::Site).expect("a definition");
        let fields: Vec<&str> = searched_fields(&doctype).iter().map(|field| field.fieldname.as_str()).collect();
        assert_eq!(fields, ["label", "code", "more"]);
        let document = serde_json::json!({"name": "T 1", "label": "Big", "code": 7, "secret": "no", "hidden": "no", "more": "<i>B</i>ig", "other": "no"});
        let terms = terms_of(&doctype, document.as_object().expect("an object"));
        assert_eq!(terms, "\u{E000}thing 1 7 b big ig t");
    }
}
