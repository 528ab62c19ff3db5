//! Files: what they are called, under which hash their content is kept, and as what it is served.

use std::fmt;

/// Longest name of a file, in characters, as in Frappe.
pub const MAX_NAME: usize = 140;
/// The folder of files that belong nowhere else.
pub const HOME: &str = "Home";
/// The folder of files that are attached to documents.
pub const ATTACHMENTS: &str = "Home/Attachments";
/// What the URL of a public file begins with.
pub const PUBLIC: &str = "/files/";
/// What the URL of a private file begins with.
pub const PRIVATE: &str = "/private/files/";

/// Longest ending that counts as a type.
const MAX_EXTENSION: usize = 10;

/// The SHA-256 of a content in lower-case hexadecimal: the only name it has on disk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContentHash(String);

impl ContentHash {
    /// From the 32 bytes.
    pub fn of_digest(digest: &[u8]) -> Self {
        use fmt::Write as _;
        let mut text = String::with_capacity(64);
        for byte in digest {
            write!(text, "{byte:02x}").expect("writing to a string");
        }
        Self(text)
    }

    /// Reads the text form; `None` for anything but 64 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        digits.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A file or folder as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// The document's name; of a folder its path.
    pub name: String,
    pub owner: String,
    pub file_name: String,
    pub is_private: bool,
    pub is_folder: bool,
    /// Where it is: a path of ours, or an https URL elsewhere.
    pub file_url: Option<String>,
    /// Bytes; 0 for folders and links.
    pub size: i64,
    /// `None` for folders and links.
    pub content: Option<ContentHash>,
    /// The name of the folder it is in.
    pub folder: Option<String>,
    pub attached: Option<AttachedTo>,
}

/// The document that a file belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachedTo {
    pub doctype: String,
    pub name: String,
    pub field: Option<String>,
}

/// How a content is handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    pub content_type: &'static str,
    /// Whether a browser may show it in place; everything else is saved.
    pub inline: bool,
}

/// Types that are named on the wire. Whatever could run scripts under our origin (HTML, SVG, XML) is not among them,
/// so it is handed out as bytes to be saved.
const TYPES: &[(&str, &str, bool)] = &[
    ("avif", "image/avif", true),
    ("bmp", "image/bmp", true),
    ("csv", "text/csv; charset=utf-8", false),
    ("doc", "application/msword", false),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", false),
    ("flac", "audio/flac", true),
    ("gif", "image/gif", true),
    ("gz", "application/gzip", false),
    ("ico", "image/x-icon", true),
    ("jpeg", "image/jpeg", true),
    ("jpg", "image/jpeg", true),
    ("json", "application/json", false),
    ("log", "text/plain; charset=utf-8", true),
    ("m4a", "audio/mp4", true),
    ("md", "text/plain; charset=utf-8", true),
    ("mov", "video/quicktime", true),
    ("mp3", "audio/mpeg", true),
    ("mp4", "video/mp4", true),
    ("odp", "application/vnd.oasis.opendocument.presentation", false),
    ("ods", "application/vnd.oasis.opendocument.spreadsheet", false),
    ("odt", "application/vnd.oasis.opendocument.text", false),
    ("oga", "audio/ogg", true),
    ("ogg", "audio/ogg", true),
    ("pdf", "application/pdf", false),
    ("png", "image/png", true),
    ("ppt", "application/vnd.ms-powerpoint", false),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation", false),
    ("tif", "image/tiff", true),
    ("tiff", "image/tiff", true),
    ("txt", "text/plain; charset=utf-8", true),
    ("wav", "audio/wav", true),
    ("webm", "video/webm", true),
    ("webp", "image/webp", true),
    ("xls", "application/vnd.ms-excel", false),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", false),
    ("zip", "application/zip", false),
];

/// How a file of this name is handed out: by its ending alone, never by what a client said or by what is in it.
pub fn served(file_name: &str) -> Served {
    let known = extension(file_name).and_then(|ending| TYPES.iter().find(|(known, _, _)| *known == ending));
    known.map_or(Served { content_type: "application/octet-stream", inline: false }, |(_, content_type, inline)| Served {
        content_type,
        inline: *inline,
    })
}

/// The ending of a name in lower case, without its dot.
pub fn extension(file_name: &str) -> Option<String> {
    let (stem, ending) = file_name.rsplit_once('.')?;
    let is_type =
        !stem.is_empty() && (1..=MAX_EXTENSION).contains(&ending.len()) && ending.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_type.then(|| ending.to_ascii_lowercase())
}

/// What Frappe shows as `file_type`: the ending in capitals.
pub fn file_type(file_name: &str) -> Option<String> {
    extension(file_name).map(|ending| ending.to_ascii_uppercase())
}

/// A name that can be shown and can stand in a URL: what comes after the last slash of what was sent, without letters
/// that mean something in paths, URLs, headers or HTML, or that change how the others read. It never becomes a path.
pub fn safe_name(sent: &str) -> String {
    let last = sent.rsplit(['/', '\\']).next().unwrap_or_default();
    let safe: String = last.chars().map(|letter| if is_odd(letter) { '_' } else { letter }).collect();
    // A dot at the end would make an ending of letters that are added later.
    let safe = safe.trim_end_matches(|letter: char| letter == '.' || letter.is_whitespace()).trim_start();
    if safe.is_empty() { "file".to_owned() } else { shortened(safe, "") }
}

fn is_odd(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '%' | '?' | '#' | '<' | '>' | '"')
        // Marks that are not seen, and those that turn the direction of what follows.
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// The same name with letters before its ending, for when it is taken.
pub fn with_letters(file_name: &str, letters: &str) -> String {
    shortened(file_name, letters)
}

/// Cuts the part before the ending so that with `letters` after it the name is short enough.
fn shortened(file_name: &str, letters: &str) -> String {
    let ending = extension(file_name).map_or("", |ending| &file_name[file_name.len() - ending.len() - 1..]);
    let stem = &file_name[..file_name.len() - ending.len()];
    let room = MAX_NAME.saturating_sub(ending.len() + letters.len());
    let stem: String = stem.chars().take(room).collect();
    format!("{stem}{letters}{ending}")
}

/// Where a file of this name is reached.
pub fn url(is_private: bool, file_name: &str) -> String {
    format!("{}{file_name}", if is_private { PRIVATE } else { PUBLIC })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_lose_their_paths_and_whatever_means_something_elsewhere() {
        for (sent, safe) in [
            ("a.txt", "a.txt"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Windows\\win.ini", "win.ini"),
            ("..", "file"),
            ("a/..", "file"),
            ("", "file"),
            ("  ", "file"),
            ("a\0b\r\nSet-Cookie: x.txt", "a_b__Set-Cookie: x.txt"),
            ("50%.png?x#y", "50_.png_x_y"),
            ("<script>\".html", "_script__.html"),
            ("photo\u{202e}gnp.exe", "photo_gnp.exe"),
            ("Größe – 日本.pdf", "Größe – 日本.pdf"),
            (".htaccess", ".htaccess"),
        ] {
            assert_eq!(safe_name(sent), safe, "{sent:?}");
        }
    }

    #[test]
    fn what_could_run_is_saved_and_never_shown() {
        let bytes = Served { content_type: "application/octet-stream", inline: false };
        for name in ["a.html", "a.svg", "a.xml", "a.xhtml", "a.js", "a.png.html", "a", ".png", "a.htm ", "a.p\u{0}ng"] {
            assert_eq!(served(name), bytes, "{name}");
        }
        assert_eq!(served("a.html.PNG"), Served { content_type: "image/png", inline: true });
        assert!(!served("a.pdf").inline);
        assert!(TYPES.windows(2).all(|pair| pair[0].0 < pair[1].0), "sorted");
        assert!(TYPES.iter().all(|(_, content_type, _)| !content_type.contains("html") && !content_type.contains("xml;")));
    }

    #[test]
    fn hashes_are_64_hexadecimal_digits_and_nothing_else() {
        let hash = ContentHash::of_digest(&[0xab; 32]);
        assert_eq!(ContentHash::parse(hash.as_str()), Some(hash));
        for bad in ["", "../../etc/passwd", &"A".repeat(64), &"a".repeat(63), &format!("{}/", "a".repeat(63))] {
            assert_eq!(ContentHash::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_name_becomes_one_that_is_short_and_has_no_path(sent in any::<String>()) {
            let safe = safe_name(&sent);
            prop_assert!((1..=MAX_NAME).contains(&safe.chars().count()), "{safe:?}");
            prop_assert!(!safe.contains(['/', '\\', '\0', '\r', '\n', '%', '?', '#', '<', '>', '"']));
            prop_assert!(safe != "." && safe != "..");
            prop_assert_eq!(&safe_name(&safe), &safe);
            let longer = with_letters(&safe, "abc123");
            prop_assert!(longer.chars().count() <= MAX_NAME && longer.contains("abc123"));
            prop_assert_eq!(served(&longer), served(&safe));
        }
    }
}
