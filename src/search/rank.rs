//! How well a document fits a search, and where in its text the words stand. Pure.

use crate::doctype::words::words;
use crate::store::search::Wanted;

/// How fast further occurrences of a word stop counting, as in BM25.
const SATURATION: f64 = 1.2;
/// How much the length of a text counts, as in BM25.
const LENGTH: f64 = 0.75;
/// Words of a text that counts as neither long nor short.
const USUAL_WORDS: f64 = 50.0;
/// What a word in the title adds, and one that only begins as it should.
const IN_TITLE: f64 = 2.0;
const BEGINS_IN_TITLE: f64 = 1.0;
/// Letters of an excerpt, and of what stands in it before the first word that was found.
const EXCERPT: usize = 200;
const BEFORE: usize = 60;

/// What is counted of one wanted word.
#[derive(Clone, Copy, Default)]
struct Count {
    times: u32,
    title: f64,
}

/// How well a document fits; nothing where one of the words is not in it.
///
/// This is BM25 without what makes rare words weigh more: that would tell how many documents there are that the caller
/// may not read, and differ between databases.
pub(super) fn rank<'a>(name: &str, title: &str, texts: impl Iterator<Item = &'a str>, wanted: &Wanted) -> Option<f64> {
    let mut counts = vec![Count::default(); wanted.words.len() + usize::from(wanted.beginning.is_some())];
    let mut length = 0.0;
    for (text, is_title) in [(name, false), (title, true)].into_iter().chain(texts.map(|text| (text, false))) {
        for word in words(text) {
            if !is_title {
                length += 1.0;
            }
            for (index, exact) in matches(&word.folded, wanted) {
                let count = &mut counts[index];
                if is_title {
                    count.title = count.title.max(if exact { IN_TITLE } else { BEGINS_IN_TITLE });
                } else {
                    count.times += 1;
                }
            }
        }
    }
    let long = SATURATION * (1.0 - LENGTH + LENGTH * length / USUAL_WORDS);
    let mut rank = 0.0;
    for count in counts {
        if count.times == 0 {
            return None;
        }
        let times = f64::from(count.times);
        rank += count.title + times * (SATURATION + 1.0) / (times + long);
    }
    // As many digits as mean something.
    Some((rank * 10_000.0).round() / 10_000.0)
}

/// Which of the wanted words this one is, and whether as it is.
fn matches<'a>(folded: &'a str, wanted: &'a Wanted) -> impl Iterator<Item = (usize, bool)> + 'a {
    let exact = wanted.words.iter().enumerate().filter(move |(_, word)| *word == folded).map(|(index, _)| (index, true));
    let begins = wanted.beginning.as_ref().filter(move |beginning| folded.starts_with(beginning.as_str()));
    exact.chain(begins.map(move |beginning| (wanted.words.len(), beginning == folded)))
}

/// The part of the texts where the most is found, as HTML in which only `<mark>` is markup.
pub(super) fn excerpt(title: &str, texts: &[(String, String)], wanted: &Wanted) -> String {
    let found = |text: &str| {
        let mut found: Vec<usize> =
            words(text).flat_map(|word| matches(&word.folded, wanted).map(|(index, _)| index).collect::<Vec<_>>()).collect();
        found.sort_unstable();
        found.dedup();
        found.len()
    };
    // Of texts that are alike in that, the first; the title stands in the answer anyway.
    let best = texts
        .iter()
        .map(|(_, text)| (found(text), text.as_str() != title, text.as_str()))
        .rev()
        .max_by_key(|(found, other, _)| (*found, *other));
    let text = best.map_or(title, |(_, _, text)| text);
    let marked: Vec<(usize, usize)> =
        words(text).filter(|word| matches(&word.folded, wanted).next().is_some()).map(|word| (word.start, word.end)).collect();
    let start = marked.first().map_or(0, |(first, _)| begin_of(text, *first));
    let end = text[start..].char_indices().nth(EXCERPT).map_or(text.len(), |(length, _)| start + length);
    let mut html = String::new();
    if start > 0 {
        html.push('…');
    }
    let mut at = start;
    for (from, to) in marked.into_iter().filter(|(_, to)| *to <= end) {
        push_escaped(&mut html, &text[at..from]);
        html.push_str("<mark>");
        push_escaped(&mut html, &text[from..to]);
        html.push_str("</mark>");
        at = to;
    }
    push_escaped(&mut html, &text[at..end]);
    if end < text.len() {
        html.push('…');
    }
    html
}

/// Where an excerpt begins whose first word is at `first`: at a word not far before it.
fn begin_of(text: &str, first: usize) -> usize {
    let Some((far, _)) = text[..first].char_indices().rev().nth(BEFORE) else { return 0 };
    text[far..first].char_indices().find(|(_, letter)| letter.is_whitespace()).map_or(far, |(at, letter)| far + at + letter.len_utf8())
}

fn push_escaped(html: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            letter => html.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(words: &[&str], beginning: Option<&str>) -> Wanted {
        Wanted { words: words.iter().map(|word| (*word).to_owned()).collect(), beginning: beginning.map(str::to_owned) }
    }

    fn texts(texts: &[&str]) -> Vec<(String, String)> {
        texts.iter().map(|text| ("Label".to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn titles_whole_words_and_short_texts_count_more() {
        let rank = |title: &str, text: &str| rank("n", title, [title, text].into_iter(), &wanted(&[], Some("print")));
        assert_eq!(rank("Scanner", "blue"), None);
        let (title, begins, text) = (rank("Print", "it"), rank("Printer", "it"), rank("It", "print"));
        assert!(title > begins && begins > text && text.is_some(), "{title:?} {begins:?} {text:?}");
        assert!(rank("It", &"print ".repeat(3)) > text);
        assert!(rank("It", &format!("print {}", "word ".repeat(300))) < text);
    }

    #[test]
    fn an_excerpt_marks_what_was_found_and_nothing_else_is_markup() {
        let long = format!("{} the <b>Käse</b> & more {}", "before ".repeat(30), "after ".repeat(60));
        let html = excerpt("Title", &texts(&["Title", &long]), &wanted(&["kase"], None));
        assert!(html.starts_with("…before ") && html.ends_with('…'), "{html}");
        assert!(html.contains("the &lt;b&gt;<mark>Käse</mark>&lt;/b&gt; &amp; more"), "{html}");
        assert_eq!(excerpt("A cat", &texts(&["A cat"]), &wanted(&[], Some("ca"))), "A <mark>cat</mark>");
        assert_eq!(excerpt("x", &[], &wanted(&["n"], None)), "x");
    }
}
