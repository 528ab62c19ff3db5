//! Settings that Frappe keeps in the database and Ostiary in its configuration: they are shown, but what would have no
//! effect cannot be set, so that nobody relies on it. Those that decide about rights hold from the moment at which they
//! are written.

use super::super::{permissions, read, single, values};
use super::{Change, DocumentHooks, Written};
use crate::auth::Caller;
use crate::config::Registration;
use crate::cx::Cx;
use crate::doctype::{FieldValue, Values};
use crate::error::AppError;
use crate::store::documents::{self, Hold, Stamp};

/// One single doctype of settings.
pub struct Settings {
    pub doctype: &'static str,
    /// What can be set, because something here or in every client goes by it.
    pub open: &'static [&'static str],
    /// Whether who may do what goes by them.
    pub decides_rights: bool,
}

/// `System Settings`: how clients show dates and numbers, and what documents go by.
pub const SYSTEM: Settings = Settings {
    doctype: "System Settings",
    open: &[
        "app_name",
        "country",
        "date_format",
        "time_format",
        "number_format",
        "use_number_format_from_currency",
        "first_day_of_the_week",
        "float_precision",
        "currency_precision",
        "apply_strict_user_permissions",
        "disable_document_sharing",
        "enable_onboarding",
        "disable_system_update_notification",
        "disable_change_log_notification",
    ],
    decides_rights: true,
};

/// `OAuth Settings`: all of it is configuration here.
pub const OAUTH: Settings = Settings { doctype: "OAuth Settings", open: &[], decides_rights: false };

impl DocumentHooks for Settings {
    fn doctype(&self) -> &str {
        self.doctype
    }

    fn validate(&self, _cx: &mut Cx, change: &mut Change<'_>) -> Result<(), AppError> {
        let Some(before) = change.before else { return Ok(()) };
        for (fieldname, value) in change.values.iter().filter(|(fieldname, _)| !self.open.contains(fieldname)) {
            let is_same = match before.get(fieldname) {
                Some(old) => old == value || (old.is_empty() && value.is_empty()),
                None => value.is_empty(),
            };
            if let Some(field) = change.doctype.field(fieldname).filter(|_| !is_same) {
                return Err(AppError::Unsupported(format!("setting {} in {}", field.label, self.doctype)));
            }
        }
        Ok(())
    }

    fn on_update(&self, cx: &mut Cx, _written: &Written<'_>) -> Result<(), AppError> {
        if self.decides_rights { permissions::forget_site(cx) } else { Ok(()) }
    }
}

/// Writes what is configured where Frappe's clients look for it. Called at every start, before anybody is answered.
///
/// # Errors
/// [`AppError`] from the database.
pub fn show_configuration(cx: &mut Cx, administrator: &Caller) -> Result<(), AppError> {
    let config = &cx.env.config;
    let is_open = if config.oauth.registration == Registration::Off { 0 } else { 1 };
    let (zone, language, name) = (config.site.time_zone.name().to_owned(), config.site.language.clone(), config.site.name.clone());
    let text = FieldValue::Text;
    show(cx, administrator, &SYSTEM, &[("time_zone", text(zone)), ("language", text(language))])?;
    show(cx, administrator, &OAUTH, &[("resource_name", text(name)), ("enable_dynamic_client_registration", FieldValue::Int(is_open))])
}

fn show(cx: &mut Cx, administrator: &Caller, settings: &Settings, shown: &[(&str, FieldValue)]) -> Result<(), AppError> {
    let registry = cx.env.doctypes();
    let doctype = registry.get(settings.doctype).ok_or_else(|| AppError::not_found("DocType", settings.doctype))?;
    single::ensure(cx, administrator, doctype)?;
    let before = read::find(cx, doctype, &doctype.name, Hold::Changed)?;
    let zone = cx.env.config.site.time_zone;
    let mut changed = Values::default();
    for (fieldname, value) in shown {
        if before.get(*fieldname) != Some(&values::shown(value, zone)) {
            changed.set(fieldname, value.clone());
        }
    }
    // A start that changes nothing is no change of the settings.
    if changed.is_empty() {
        return Ok(());
    }
    let stamp = Stamp { user: administrator.name(), at: cx.now };
    documents::update_document(cx.conn, doctype, &doctype.name, stamp, &changed)?;
    Ok(())
}
