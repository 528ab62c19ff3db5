//! What `like` means (`docs/semantics.md`), for SQLite, whose own takes time in the length of the text times that of
//! the pattern and cannot be stopped.
//!
//! Pure. A text is looked at once for each literal part between two `%`, whatever is in it; only `_` amid letters has
//! to be tried place by place. [`Pattern::matches`] tells how far it has got, so that whoever waits can give up.

use memchr::memmem::Finder;

/// Longest text that is folded on the stack.
const SHORT: usize = 256;

/// A pattern of `like`.
pub(super) struct Pattern {
    /// What stands between the `%`: the first at the beginning, the last at the end, the others anywhere between.
    parts: Vec<Part>,
    /// Whether it has ASCII letters, which match in either case.
    folds: bool,
}

/// Letters and gaps that stand side by side.
#[derive(Default)]
struct Part {
    pieces: Vec<Piece>,
    /// Which piece is looked for first: the longest literal.
    rarest: Option<(usize, Finder<'static>)>,
}

enum Piece {
    /// Folded.
    Literal(Vec<u8>),
    /// So many letters, whichever.
    Any(usize),
}

/// The one who waited has given up.
#[derive(Debug, PartialEq)]
pub(super) struct GivenUp;

impl Pattern {
    /// Reads a pattern: `%`, `_`, and `\` before a letter that means itself.
    pub fn read(text: &str) -> Self {
        let mut parts = vec![Part::default()];
        let mut folds = false;
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            let part = parts.last_mut().expect("there is always one");
            match letter {
                '%' => parts.push(Part::default()),
                '_' => part.push_any(),
                letter => {
                    let letter = if letter == '\\' { letters.next().unwrap_or('\\') } else { letter };
                    folds |= letter.is_ascii_alphabetic();
                    part.push_letter(letter.to_ascii_lowercase());
                }
            }
        }
        parts.iter_mut().for_each(Part::choose_rarest);
        Self { parts, folds }
    }

    /// Whether it matches all of a text. `progress` hears how many bytes were looked at since it was last called, and says
    /// whether to go on.
    ///
    /// # Errors
    /// [`GivenUp`] where `progress` said so.
    pub fn matches(&self, text: &[u8], progress: &mut dyn FnMut(usize) -> bool) -> Result<bool, GivenUp> {
        if !progress(text.len()) {
            return Err(GivenUp);
        }
        let [first, rest @ ..] = self.parts.as_slice() else { return Ok(text.is_empty()) };
        let Some(begin) = ends_at(&first.pieces, text, 0) else { return Ok(false) };
        let Some((last, between)) = rest.split_last() else { return Ok(begin == text.len()) };
        let Some(end) = begins_at(&last.pieces, text, text.len()).filter(|end| begin <= *end) else { return Ok(false) };
        if between.is_empty() {
            return Ok(true);
        }
        // Most texts are short; for those it does without memory of its own.
        let (mut short, long);
        let text = match &text[begin..end] {
            text if !self.folds => text,
            text if text.len() <= SHORT => {
                short = [0; SHORT];
                let folded = &mut short[..text.len()];
                folded.copy_from_slice(text);
                folded.make_ascii_lowercase();
                &*folded
            }
            text => {
                long = text.to_ascii_lowercase();
                long.as_slice()
            }
        };
        let mut at = 0;
        for part in between {
            match part.find(text, at, progress)? {
                Some(behind) => at = behind,
                None => return Ok(false),
            }
        }
        Ok(true)
    }
}

impl Part {
    fn push_letter(&mut self, letter: char) {
        let mut bytes = [0; 4];
        let bytes = letter.encode_utf8(&mut bytes).as_bytes();
        match self.pieces.last_mut() {
            Some(Piece::Literal(literal)) => literal.extend_from_slice(bytes),
            Some(Piece::Any(_)) | None => self.pieces.push(Piece::Literal(bytes.to_vec())),
        }
    }

    fn push_any(&mut self) {
        match self.pieces.last_mut() {
            Some(Piece::Any(letters)) => *letters += 1,
            Some(Piece::Literal(_)) | None => self.pieces.push(Piece::Any(1)),
        }
    }

    fn choose_rarest(&mut self) {
        let literals = self.pieces.iter().enumerate().filter_map(|(index, piece)| match piece {
            Piece::Literal(literal) => Some((index, literal)),
            Piece::Any(_) => None,
        });
        self.rarest = literals.max_by_key(|(_, literal)| literal.len()).map(|(index, literal)| (index, Finder::new(literal).into_owned()));
    }

    /// Where the first of it ends that begins at a place or behind it.
    fn find(&self, text: &[u8], from: usize, progress: &mut dyn FnMut(usize) -> bool) -> Result<Option<usize>, GivenUp> {
        // Nothing but gaps fits anywhere.
        let Some((index, finder)) = &self.rarest else { return Ok(ends_at(&self.pieces, text, from)) };
        let (before, behind) = self.pieces.split_at(*index);
        let mut searched = from;
        loop {
            let found = finder.find(&text[searched..]).map(|offset| searched + offset);
            if !progress(found.unwrap_or(text.len()) - searched + self.pieces.len()) {
                return Err(GivenUp);
            }
            let Some(found) = found else { return Ok(None) };
            if begins_at(before, text, found).is_some_and(|begin| begin >= from)
                && let Some(end) = ends_at(behind, text, found)
            {
                return Ok(Some(end));
            }
            searched = found + 1;
        }
    }
}

fn ends_at(pieces: &[Piece], text: &[u8], at: usize) -> Option<usize> {
    pieces.iter().try_fold(at, |at, piece| match piece {
        Piece::Literal(literal) => {
            let end = at + literal.len();
            text.get(at..end)?.eq_ignore_ascii_case(literal).then_some(end)
        }
        Piece::Any(letters) => (0..*letters).try_fold(at, |at, _| letter_behind(text, at)),
    })
}

fn begins_at(pieces: &[Piece], text: &[u8], end: usize) -> Option<usize> {
    pieces.iter().rev().try_fold(end, |end, piece| match piece {
        Piece::Literal(literal) => {
            let begin = end.checked_sub(literal.len())?;
            text[begin..end].eq_ignore_ascii_case(literal).then_some(begin)
        }
        Piece::Any(letters) => (0..*letters).try_fold(end, |end, _| letter_before(text, end)),
    })
}

/// Where the letter ends that begins here.
fn letter_behind(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at + 1..)?;
    Some(at + 1 + rest.iter().take_while(|byte| is_continued(**byte)).count())
}

/// Where the letter begins that ends here.
fn letter_before(text: &[u8], end: usize) -> Option<usize> {
    text[..end].iter().rposition(|byte| !is_continued(*byte))
}

/// Whether it is a further byte of a letter (UTF-8).
fn is_continued(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Pattern::read(pattern).matches(text.as_bytes(), &mut |_| true).expect("nobody gives up")
    }

    /// The same letter by letter, as the page says it.
    fn plainly(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], text) => text.is_empty(),
            (['%', pattern @ ..], text) => (0..=text.len()).any(|at| plainly(pattern, &text[at..])),
            (['_', pattern @ ..], [_, text @ ..]) => plainly(pattern, text),
            (['\\', letter, pattern @ ..], [first, text @ ..]) => letter.eq_ignore_ascii_case(first) && plainly(pattern, text),
            ([letter, pattern @ ..], [first, text @ ..]) => letter.eq_ignore_ascii_case(first) && plainly(pattern, text),
            (_, []) => false,
        }
    }

    #[test]
    fn patterns_match_all_of_a_text() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("%", "", true),
            ("ÄB", "Äb", true),
            ("äB", "Äb", false),
            ("a%b%c", "aXbYbZc", true),
            ("a%bc%c", "abc", false),
            ("%_b_%", "aéb", false),
            ("%_b_%", "ébé", true),
            ("__", "é", false),
            ("_", "é", true),
            ("50\\%", "50%", true),
            ("50\\%", "500", false),
            ("a\\", "a\\", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern:?} {text:?}");
        }
    }

    #[test]
    fn whoever_waits_can_give_up() {
        let pattern = Pattern::read("%a_bb%");
        let text = "ab".repeat(1000);
        let mut told = 0;
        let found = pattern.matches(text.as_bytes(), &mut |bytes| {
            told += bytes;
            told < 500
        });
        assert_eq!(found, Err(GivenUp));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]
        #[test]
        fn random_patterns_match_as_they_do_letter_by_letter(pattern in "[abAé%_\\\\]{0,9}", text in "[abBé%_\\\\]{0,14}") {
            let letters = |text: &str| text.chars().collect::<Vec<char>>();
            prop_assert_eq!(matches(&pattern, &text), plainly(&letters(&pattern), &letters(&text)), "{} {}", pattern, text);
        }
    }
}
