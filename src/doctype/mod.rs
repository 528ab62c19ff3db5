//! Doctype definitions as data.

/// All known doctypes.
#[derive(Default)]
pub struct Registry {}
