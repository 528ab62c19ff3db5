//! Passwords come from a prompt without echo or from standard input; never from an argument, which
//! every process of the machine can read.

use std::io::{BufRead as _, Read as _};

use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};

use crate::secrets::password::MAX_LENGTH;

/// Where a password is read from.
#[derive(Args)]
pub(super) struct PasswordSource {
    /// Read the password from the first line of standard input instead of asking for it
    #[arg(long)]
    password_stdin: bool,
}

impl PasswordSource {
    /// Reads it; asks twice on a terminal.
    ///
    /// # Errors
    /// One line when there is none.
    pub(super) fn read(&self, whose: &str) -> Result<SecretString, String> {
        let password = if self.password_stdin { from_input()? } else { from_terminal(whose)? };
        match password.expose_secret().len() {
            0 => Err("the password is empty".into()),
            length if length > MAX_LENGTH => Err(format!("the password is longer than {MAX_LENGTH} characters")),
            _ => Ok(password),
        }
    }
}

fn from_input() -> Result<SecretString, String> {
    let mut line = String::new();
    let mut input = std::io::stdin().lock().take(64 * 1024);
    input.read_line(&mut line).map_err(|error| format!("cannot read the password from standard input: {error}"))?;
    let length = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(length);
    Ok(SecretString::from(line))
}

fn from_terminal(whose: &str) -> Result<SecretString, String> {
    let ask = |text: String| {
        rpassword::prompt_password(text)
            .map(SecretString::from)
            .map_err(|error| format!("cannot ask for a password here ({error}); use --password-stdin"))
    };
    let password = ask(format!("New password of {whose}: "))?;
    if ask("The same again: ".into())?.expose_secret() != password.expose_secret() {
        return Err("the two passwords differ".into());
    }
    Ok(password)
}
