//! Where a path leads: the spelling of both versions' addresses.

use percent_encoding::percent_decode_str;

use super::call::Version;
use super::registry::{self, Door, Method};
use super::{files, resource_v1, resource_v2};
use crate::error::AppError;

/// What a path leads to.
pub enum Target {
    Method(&'static Method),
    /// A method that does not exist, by name.
    UnknownMethod(String),
    /// `/api/resource/…` and `/api/v1/resource/…`.
    Resource(resource_v1::Address),
    /// `/api/v2/document/…` and `/api/v2/doctype/…`.
    Document(resource_v2::Address),
    /// `/files/…` and `/private/files/…`: a file by its URL.
    File(String),
    /// `/api/report/…`: a saved report by its name.
    Report(String),
    /// `/api/openapi.json`.
    Description,
    Nothing,
}

impl Target {
    /// Reads a path as it was sent, percent-encoded.
    ///
    /// # Errors
    /// [`AppError::InvalidData`] for names that are not UTF-8 or have NUL.
    pub fn of_path(path: &str) -> Result<Self, AppError> {
        if files::is_file_path(path) {
            return Ok(Self::File(decode(path)?));
        }
        let Some(rest) = path.strip_prefix("/api/") else { return Ok(Self::Nothing) };
        if rest == "openapi.json" {
            return Ok(Self::Description);
        }
        match rest.strip_prefix("v2/") {
            Some(rest) => Self::of_version_two(rest),
            None => Self::of_version_one(rest.strip_prefix("v1/").unwrap_or(rest)),
        }
    }

    fn of_version_one(rest: &str) -> Result<Self, AppError> {
        if let Some(method) = rest.strip_prefix("method/") {
            // Frappe ignores whatever follows the method's name.
            let name = method.split('/').next().unwrap_or_default();
            return Ok(Self::of_method(&decode(name)?));
        }
        if rest == "authenticate" || rest == "authenticate/" {
            // Frappe: no such path, here: a login, because the documents have it.
            return Ok(Self::of_method("login"));
        }
        if rest == "search" || rest == "search/" {
            return Ok(Self::Method(&registry::SEARCH));
        }
        if let Some(name) = rest.strip_prefix("report/") {
            let name = decode(name.strip_suffix('/').unwrap_or(name))?;
            return Ok(if name.is_empty() { Self::Nothing } else { Self::Report(name) });
        }
        if let Some(resource) = rest.strip_prefix("resource/") {
            let (doctype, name) = resource.split_once('/').unwrap_or((resource, ""));
            let name = decode(name.strip_suffix('/').unwrap_or(name))?;
            let doctype = decode(doctype)?;
            return Ok(if doctype.is_empty() {
                Self::Nothing
            } else {
                Self::Resource(resource_v1::Address { doctype, name: (!name.is_empty()).then_some(name) })
            });
        }
        Ok(Self::Nothing)
    }

    fn of_version_two(rest: &str) -> Result<Self, AppError> {
        let (kind, rest) = rest.split_once('/').unwrap_or((rest, ""));
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (first, second) = rest.split_once('/').unwrap_or((rest, ""));
        Ok(match kind {
            "method" if second.is_empty() => Self::of_method(&decode(first)?),
            "method" => Self::of_doctype_method(&decode(first)?, &decode(second)?),
            "document" | "doctype" => resource_v2::Address::read(kind, first, second)?.map_or(Self::Nothing, Self::Document),
            _ => Self::Nothing,
        })
    }

    /// A method by its name.
    pub fn of_method(name: &str) -> Self {
        registry::find(name).map_or_else(|| Self::UnknownMethod(name.to_owned()), Self::Method)
    }

    /// A method of a doctype's own module: `User` and `generate_keys`.
    fn of_doctype_method(doctype: &str, method: &str) -> Self {
        let module = doctype.to_lowercase().replace([' ', '-'], "_");
        let end = format!(".doctype.{module}.{module}.{method}");
        registry::METHODS
            .iter()
            .find(|row| row.path.ends_with(&end))
            .map_or_else(|| Self::UnknownMethod(format!("{module}.{method}")), Self::Method)
    }

    /// The pattern of the path, for logs.
    pub fn route(&self) -> &'static str {
        match self {
            Self::Method(method) => method.path,
            Self::UnknownMethod(_) => "/api/method/?",
            Self::Resource(address) => address.route(),
            Self::Document(address) => address.route(),
            Self::File(url) => files::route(url),
            Self::Report(_) => registry::REPORT.path,
            Self::Description => "/api/openapi.json",
            Self::Nothing => "/api/?",
        }
    }

    /// Whose shapes its errors have.
    pub fn door(&self) -> Door {
        match self {
            Self::Method(method) => method.door,
            Self::UnknownMethod(_)
            | Self::Resource(_)
            | Self::Document(_)
            | Self::File(_)
            | Self::Report(_)
            | Self::Description
            | Self::Nothing => Door::Frappe,
        }
    }
}

impl Version {
    /// The version that a path speaks.
    pub fn of_path(path: &str) -> Self {
        if path.starts_with("/api/v2/") { Self::Two } else { Self::One }
    }
}

/// Decodes a path segment; a plus sign stands for itself there.
///
/// # Errors
/// [`AppError::InvalidData`] for what is not UTF-8 or has NUL.
pub fn decode(segment: &str) -> Result<String, AppError> {
    let text = percent_decode_str(segment).decode_utf8().map_err(|_| AppError::InvalidData("the path must be UTF-8".into()))?;
    if text.contains('\0') {
        return Err(AppError::InvalidData("the path must not contain NUL".into()));
    }
    Ok(text.into_owned())
}

/// Functions of Frappe that exist but are no API methods (transcript 296).
pub fn is_internal(name: &str) -> bool {
    matches!(
        name,
        "frappe.get_all"
            | "frappe.get_doc"
            | "frappe.get_list"
            | "frappe.db.sql"
            | "frappe.db.get_value"
            | "frappe.db.set_value"
            | "frappe.set_user"
            | "frappe.throw"
    )
}
