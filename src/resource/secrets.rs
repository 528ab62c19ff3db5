//! What Password fields hold: sealed beside the document, given out only to System Managers.

use zeroize::Zeroizing;

use super::permissions::{self, Action};
use super::{read, system};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::Rows;
use crate::error::{AppError, Denied};
use crate::store::document_secrets;
use crate::store::documents::Hold;

/// What seals the secrets of documents; a value sealed for one field does not open in another.
pub(super) fn purpose(doctype: &str, fieldname: &str) -> String {
    format!("document:{doctype}:{fieldname}")
}

/// The secret in a Password field, for the server's own use.
///
/// # Errors
/// [`AppError::Internal`] when it was sealed with another key.
pub fn open_secret(cx: &mut Cx, doctype: &str, name: &str, fieldname: &str) -> Result<Option<Zeroizing<Vec<u8>>>, AppError> {
    let Some(sealed) = document_secrets::find_secret(cx.conn, doctype, name, fieldname)? else { return Ok(None) };
    let opened = cx.env.seal.open(&purpose(doctype, fieldname), &sealed);
    opened.map(Some).map_err(|_| AppError::internal(format!("{doctype}.{fieldname} was sealed with another key")))
}

/// The secret in a Password field, for a System Manager who may read the document (Frappe's `get_password`).
/// What typed doctypes keep is not readable.
///
/// # Errors
/// As [`super::read()`]; [`AppError::NotPermitted`] for anybody else, and for a credential with a scope of its own.
pub fn password(cx: &mut Cx, caller: &Caller, doctype: &str, name: &str, fieldname: &str) -> Result<Option<String>, AppError> {
    if !caller.is_system_manager() {
        return Err(AppError::NotPermitted(Denied::Because("Only System Managers may read passwords".into())));
    }
    caller.require_credential_rights()?;
    let doctype = permissions::enter(cx, caller, doctype, Some(name), Action::Read)?;
    let name = system::canonical_name(&doctype, name);
    let document = read::find(cx, &doctype, &name, Hold::Nothing)?;
    permissions::require_document(cx, caller, &doctype, Action::Read, &document)?;
    let field = doctype.field(fieldname).filter(|field| field.is_secret() && doctype.rows == Rows::OwnTable);
    let field = field.filter(|field| permissions::may_use(caller, &doctype, field, Action::Read));
    let field = field.ok_or_else(|| AppError::FieldNotPermitted(fieldname.to_owned()))?;
    let secret = open_secret(cx, &doctype.name, &name, &field.fieldname)?;
    Ok(secret.map(|secret| String::from_utf8_lossy(&secret).into_owned()))
}
