//! `frappe.client.*` (contract 6.7): documents by method. [`read`] has what asks, [`write`] what changes.

pub mod read;
pub mod write;
