//! Definitions as data: the site's doctypes, kept in the database over those that came with the program.
//!
//! Every process holds all of them in memory ([`crate::cx::Doctypes`]). One that changes is kept and
//! its table changed in one transaction ([`keep`]); this process knows it once that is committed, and
//! the others hear of it ([`reload`]). Who may change them is asked by the adapter in
//! `system/doctype.rs`; the command line imports files with [`check`] and [`keep`].

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use crate::audit::{self, AuditEvent};
use crate::cx::{Cx, Env};
use crate::doctype::changes::changes;
use crate::doctype::validate::unreadable_defaults;
use crate::doctype::{DocType, InvalidDefinition, Origin, Registry};
use crate::domain::user::ADMINISTRATOR;
use crate::error::AppError;
use crate::store::doctypes::{self, Digest, SiteDefinition};
use crate::store::epochs::{self, DOCTYPES};
use crate::store::{Conn, Db, DdlError, StoreError};

/// Reads all doctypes: what came with the program, overlaid by the site's.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn load(conn: &mut Conn) -> Result<Registry, StoreError> {
    let mut registry = Registry::builtin();
    for found in doctypes::list_of_site(conn, None)? {
        put(&mut registry, &found);
    }
    Ok(registry)
}

/// Reads what changed since this process last looked.
///
/// # Errors
/// [`AppError`] from the database.
pub fn reload(db: &Db, env: &Env) -> Result<(), AppError> {
    let known = env.doctypes();
    let (gone, changed) = db.lookup_blocking(|conn, _| {
        let mut kept = BTreeMap::new();
        for (name, digest, is_site) in doctypes::list_digests(conn)? {
            if is_site {
                kept.insert(name, digest);
            }
        }
        let is_site = |doctype: &&Arc<DocType>| doctype.origin == Origin::Site;
        let gone: Vec<String> =
            known.iter().filter(is_site).map(|doctype| doctype.name.clone()).filter(|name| !kept.contains_key(name)).collect();
        let is_known = |name: &str, digest: &Digest| known.get(name).is_some_and(|doctype| Digest::of(doctype) == *digest);
        let changed: Vec<String> = kept.into_iter().filter(|(name, digest)| !is_known(name, digest)).map(|(name, _)| name).collect();
        Ok((gone, doctypes::list_of_site(conn, Some(&changed))?))
    })?;
    if gone.is_empty() && changed.is_empty() {
        return Ok(());
    }
    env.shared_doctypes().change(|registry| {
        for name in &gone {
            registry.remove(name);
        }
        for found in &changed {
            put(registry, found);
        }
    });
    Ok(())
}

/// A definition that this program cannot use is left out, and so is one of the program's own that it replaces:
/// its documents are better out of reach than under other rights than the site gave them.
fn put(registry: &mut Registry, found: &SiteDefinition) {
    let inserted = DocType::parse(&found.name, &found.definition, Origin::Site).and_then(|mut doctype| {
        // Its digest is that of this very text, even should a number in it be written differently the next time.
        doctype.definition.clone_from(&found.definition);
        registry.insert(&found.name, doctype)
    });
    if let Err(error) = inserted {
        tracing::error!(cause = %error, "a doctype of the site cannot be used and is left out");
        registry.withhold(&found.name);
    }
}

/// The doctypes whose tables are not as this program would make them: all of them at the first start.
///
/// # Errors
/// [`AppError`] from the database.
pub fn list_pending(cx: &mut Cx) -> Result<Vec<Arc<DocType>>, AppError> {
    let kept: BTreeMap<String, Digest> = doctypes::list_digests(cx.conn)?.into_iter().map(|(name, digest, _)| (name, digest)).collect();
    let registry = cx.env.doctypes();
    let is_kept = |doctype: &Arc<DocType>| kept.get(&doctype.name) == Some(&Digest::of(doctype));
    Ok(registry.iter().filter(|doctype| !is_kept(doctype)).cloned().collect())
}

/// Keeps a definition that is in force already, and makes or changes its table.
///
/// # Errors
/// [`AppError::Validation`] for a change that documents do not allow.
pub fn ensure(cx: &mut Cx, doctype: &DocType) -> Result<(), AppError> {
    doctypes::lock(cx.conn)?;
    if !is_overtaken(cx, doctype)? {
        doctypes::upsert(cx.conn, cx.now, doctype, ADMINISTRATOR).map_err(|error| named(&doctype.name, error))?;
    }
    Ok(())
}

/// Whether the site has another definition by now than when this process read its doctypes, which it then hears of.
fn is_overtaken(cx: &mut Cx, doctype: &DocType) -> Result<bool, AppError> {
    let kept = doctypes::find_definition(cx.conn, &doctype.name)?;
    Ok(kept.is_some_and(|(definition, is_site)| is_site && (doctype.origin == Origin::Builtin || definition != doctype.definition)))
}

/// A file that may define a doctype.
pub struct Source {
    /// As messages name it.
    pub file: String,
    pub text: String,
}

/// Whether a text is a definition, as Frappe's files say of themselves. One that is not even JSON may be meant as one
/// when it says so: better refused than passed over.
pub fn may_be_definition(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Kind {
        doctype: Option<Value>,
    }
    if !text.contains("\"DocType\"") {
        return false;
    }
    match serde_json::from_str::<Kind>(text) {
        Ok(kind) => kind.doctype.is_some_and(|doctype| doctype == "DocType"),
        // A list of documents is JSON too, but none of its own.
        Err(_) => {
            serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() && text.contains("\"doctype\"") && text.contains("\"fields\"")
        }
    }
}

/// What an import is about to do; nothing is changed yet.
#[derive(Default)]
pub struct Import {
    /// What can be kept, child tables first: who reads a parent then always finds its rows' doctype.
    pub doctypes: Vec<Arc<DocType>>,
    /// File and reason of what cannot.
    pub refused: Vec<InvalidDefinition>,
    /// What is kept but will not do all that it says.
    pub warnings: Vec<String>,
}

/// Reads definitions and checks them against each other, the doctypes that are known, and the documents that are there.
///
/// # Errors
/// [`AppError`] from the database.
pub fn check(cx: &mut Cx, sources: &[Source]) -> Result<Import, AppError> {
    let mut import = Import::default();
    let mut registry = Registry::clone(&cx.env.doctypes());
    let mut files: BTreeMap<String, &str> = BTreeMap::new();
    for source in sources {
        match read(&mut registry, &files, source) {
            Ok(Some(doctype)) => {
                files.insert(doctype.name.clone(), &source.file);
                import.doctypes.push(doctype);
            }
            Ok(None) => {}
            Err(refusal) => import.refused.push(refusal),
        }
    }
    let kept: BTreeMap<String, Digest> = doctypes::list_digests(cx.conn)?.into_iter().map(|(name, digest, _)| (name, digest)).collect();
    let mut doctypes = std::mem::take(&mut import.doctypes);
    doctypes.sort_by_key(|doctype| !doctype.is_child_table);
    for doctype in doctypes {
        let changes = kept.get(&doctype.name).is_some_and(|digest| *digest != Digest::of(&doctype));
        match if changes { doctypes::check(cx.conn, &doctype) } else { Ok(()) } {
            Ok(()) => {
                import.warnings.extend(warnings(&registry, &doctype));
                import.doctypes.push(doctype);
            }
            Err(DdlError::Refused(what)) => {
                let file = files.get(&doctype.name).copied().unwrap_or(&doctype.name).to_owned();
                import.refused.push(InvalidDefinition { file, what: format!("{}: {what}", doctype.name) });
            }
            Err(DdlError::Store(error)) => return Err(error.into()),
        }
    }
    Ok(import)
}

/// `None` for a second copy of a definition that was read already.
fn read(registry: &mut Registry, files: &BTreeMap<String, &str>, source: &Source) -> Result<Option<Arc<DocType>>, InvalidDefinition> {
    let doctype = Arc::new(DocType::parse(&source.file, &source.text, Origin::Site)?);
    if let Some(other) = files.get(&doctype.name) {
        return if registry.get(&doctype.name).is_some_and(|known| known.definition == doctype.definition) {
            Ok(None)
        } else {
            Err(InvalidDefinition { file: source.file.clone(), what: format!("{other} defines {} differently", doctype.name) })
        };
    }
    registry.insert(&source.file, Arc::clone(&doctype))?;
    Ok(Some(doctype))
}

fn warnings(registry: &Registry, doctype: &DocType) -> Vec<String> {
    let unresolved = registry.unresolved(doctype);
    let defaults = unreadable_defaults(doctype);
    let all = unresolved.into_iter().chain(
        defaults
            .into_iter()
            .map(|(fieldname, default)| format!("field {fieldname}: the default {default:?} is no value of its type and is left out")),
    );
    all.map(|what| format!("{}: {what}", doctype.name)).collect()
}

/// What keeping a definition did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    Added,
    /// With a line for each thing that changed.
    Changed(Vec<String>),
    /// It was there already.
    LeftAlone,
}

/// Keeps a site's definition and makes or changes its table. Its name was checked by [`Registry::insert`].
///
/// # Errors
/// [`AppError::Validation`] for a change that documents do not allow; [`AppError::Unavailable`] when
/// other transactions hold the table for too long.
pub fn keep(cx: &mut Cx, doctype: &Arc<DocType>, by: &str) -> Result<Kept, AppError> {
    doctypes::lock(cx.conn)?;
    let before = doctypes::find_definition(cx.conn, &doctype.name)?;
    let kept = match &before {
        None => Kept::Added,
        Some((definition, true)) if *definition == doctype.definition => return Ok(Kept::LeftAlone),
        Some((definition, _)) => {
            let known = DocType::parse(&doctype.name, definition, Origin::Site).map_err(AppError::internal)?;
            Kept::Changed(changes(&known, doctype))
        }
    };
    doctypes::upsert(cx.conn, cx.now, doctype, by).map_err(|error| named(&doctype.name, error))?;
    let what = if before.is_some() { "changed" } else { "added" };
    note(cx, by, &doctype.name, what)?;
    let (known, doctype) = (cx.env.shared_doctypes(), Arc::clone(doctype));
    cx.effects.committed(move || {
        known.change(|registry| {
            if let Err(error) = registry.insert(&doctype.name, Arc::clone(&doctype)) {
                tracing::error!(cause = %error, "a doctype was kept that cannot be used");
            }
        });
    });
    Ok(kept)
}

/// Forgets a site's definition and drops its table.
///
/// # Errors
/// [`AppError::Validation`] when it has documents or came with the program; [`AppError::LinkExists`] when
/// another doctype names it.
pub fn remove(cx: &mut Cx, name: &str, by: &str) -> Result<(), AppError> {
    if Registry::shipped(name).is_some() {
        return Err(AppError::Validation(format!("{name} comes with Ostiary and cannot be deleted")));
    }
    let registry = cx.env.doctypes();
    let names = |other: &&Arc<DocType>| {
        let is_named = |field: &crate::doctype::Field| field.options == name && (field.is_table() || field.fieldtype.is_link());
        other.name != name && other.fields.iter().any(is_named)
    };
    if let Some(other) = registry.iter().find(names) {
        let (doctype, by_doctype) = ("DocType".to_owned(), "DocType".to_owned());
        return Err(AppError::LinkExists { doctype, name: name.to_owned(), by_doctype, by_name: other.name.clone() });
    }
    doctypes::lock(cx.conn)?;
    doctypes::delete(cx.conn, name)?;
    note(cx, by, name, "deleted")?;
    let (known, name) = (cx.env.shared_doctypes(), name.to_owned());
    cx.effects.committed(move || known.change(|registry| registry.remove(&name)));
    Ok(())
}

/// Tells other processes, and whoever asks later who it was.
fn note(cx: &mut Cx, by: &str, name: &str, what: &'static str) -> Result<(), AppError> {
    epochs::bump(cx.conn, cx.effects, cx.now, DOCTYPES)?;
    audit::record(cx, None, &AuditEvent::DoctypeChanged { by: by.to_owned(), doctype: name.to_owned(), what })?;
    Ok(())
}

/// A refusal with the name of its doctype.
fn named(doctype: &str, error: DdlError) -> AppError {
    match error {
        DdlError::Refused(what) => AppError::Validation(format!("{doctype}: {what}")),
        DdlError::Store(error) => error.into(),
    }
}
