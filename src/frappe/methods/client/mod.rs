//! `frappe.client.*` (contract 6.7): documents by method. [`read`] has what asks, [`rights`] what asks about rights,
//! [`mod@write`] what changes.

pub mod read;
pub mod rights;
pub mod write;
