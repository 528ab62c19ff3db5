//! `ostiary doctor`: looks at everything a start depends on and says what is wrong.

use crate::app::checkup::{self, Verdict};
use crate::config::Config;

pub(super) fn run(config: &Config) -> Result<String, String> {
    let findings = checkup::examine(config);
    let mut text = String::new();
    for finding in &findings {
        let mark = match finding.verdict {
            Verdict::Good => "ok     ",
            Verdict::Warning => "warning",
            Verdict::Broken => "BROKEN ",
        };
        text.push_str(&format!("{mark}  {:<14} {}\n", finding.subject, finding.text));
    }
    let broken = findings.iter().filter(|finding| finding.verdict == Verdict::Broken).count();
    if broken == 0 {
        return Ok(text);
    }
    super::print(&text);
    Err(format!("{broken} of {} checks failed", findings.len()))
}
