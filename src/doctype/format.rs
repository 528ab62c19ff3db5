//! The forms of texts that Frappe's `options` of a Data field name: addresses, numbers, names.

/// What a Data field's `options` ask of its texts; `None` for options that ask nothing.
///
/// # Errors
/// What the text is not, as messages call it.
pub fn check(options: &str, text: &str) -> Result<(), &'static str> {
    let (good, what) = match options {
        // Frappe: also several with commas, here: one, because an address may be somebody's name.
        "Email" => (is_email(text), "Email Address"),
        "URL" => (url::Url::parse(text).is_ok_and(|url| url.has_host()), "URL"),
        "Phone" => (is_phone(text), "Phone Number"),
        "Name" => (!text.chars().any(|c| c.is_ascii_digit() || "<>[]{}|\\^~%$;".contains(c)), "Name"),
        "IBAN" => (is_iban(text), "IBAN"),
        _ => return Ok(()),
    };
    if good { Ok(()) } else { Err(what) }
}

/// Whether a text has the form of an e-mail address: one `@` between what has no white space.
pub fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let plain = |part: &str| !part.is_empty() && !part.chars().any(|c| c.is_whitespace() || c.is_control() || "<>()[]\\,;:\"@".contains(c));
    local.len() <= 64 && plain(local) && plain(domain) && !domain.starts_with(['.', '-']) && !domain.ends_with(['.', '-'])
}

/// Whether a text has a digit, and besides digits only what stands between them in telephone numbers.
pub fn is_phone(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_digit() || " +-/().,#*x_".contains(c)) && text.chars().any(|c| c.is_ascii_digit())
}

/// Whether a text is an international bank account number (ISO 13616) whose check digits are right; spaces do not count.
pub fn is_iban(text: &str) -> bool {
    let letters: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').map(|byte| byte.to_ascii_uppercase()).collect();
    let shaped = (15..=34).contains(&letters.len())
        && letters[..2].iter().all(u8::is_ascii_uppercase)
        && letters[2..4].iter().all(u8::is_ascii_digit)
        && letters.iter().all(u8::is_ascii_alphanumeric);
    // The number that the letters make, the first four moved to the end and A to Z read as 10 to 35, leaves 1 of 97.
    let digit = |rest: u32, byte: &u8| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
    };
    shaped && letters[4..].iter().chain(&letters[..4]).fold(0, digit) == 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ibans_are_checked_by_their_digits() {
        for good in ["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432", "fr1420041010050500013m02606", "NO9386011117947"] {
            assert!(is_iban(good), "{good}");
        }
        for bad in
            ["", "DE89", "DE88370400440532013000", "DE8937040044053201300", "89DE370400440532013000", "DE89-3704-0044-0532-0130-00", "ÄÄ12"]
        {
            assert!(!is_iban(bad), "{bad}");
        }
    }

    #[test]
    fn forms_are_asked_for_by_name() {
        for (options, good, bad) in [
            ("Email", "amina@example.com", "amina@"),
            ("URL", "https://example.com/a", "example"),
            ("Phone", "+49 (0)30 1234-5", "call me"),
            ("Name", "Amina O'Neil", "R2D2"),
            ("IBAN", "NO93 8601 1117 947", "NO93 8601 1117 948"),
        ] {
            assert_eq!(check(options, good), Ok(()), "{good}");
            assert!(check(options, bad).is_err(), "{bad}");
        }
        assert_eq!(check("", "anything"), Ok(()));
    }

    proptest! {
        #[test]
        fn any_text_is_checked_without_panic(text in any::<String>()) {
            for options in ["Email", "URL", "Phone", "Name", "IBAN", ""] {
                let _ = check(options, &text);
            }
        }

        #[test]
        fn one_wrong_digit_never_makes_an_iban(at in 4..22_usize, digit in 0..10_u8) {
            let mut iban = *b"DE89370400440532013000";
            let right = iban[at];
            iban[at] = b'0' + digit;
            let text = String::from_utf8(iban.to_vec()).expect("ASCII");
            prop_assert_eq!(is_iban(&text), iban[at] == right);
        }
    }
}
