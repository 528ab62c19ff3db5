//! User Permissions and shares as conditions on documents.

use std::sync::Arc;

use super::Action;
use super::known::{self, UserRights};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::filter::{NameSet, Operation};
use crate::doctype::{DocType, Field, FieldType, FieldValue, Filter, Registry, Rows};
use crate::error::AppError;

/// What the caller's User Permissions leave of a doctype: the document itself where they name its
/// doctype, and every Link that it or one of its child rows has. A Link that is empty passes, unless
/// the site is strict; Dynamic Links are not looked at.
///
/// Frappe: a list does not look at the links of child rows, reading a document does; here: both do,
/// because a list must not show what cannot be read.
///
/// # Errors
/// [`AppError`] from the database, for what is not in memory.
pub(super) fn user_permissions(cx: &mut Cx, caller: &Caller, doctype: &DocType) -> Result<Filter, AppError> {
    let user = known::of_user(cx, caller)?;
    if user.is_free() {
        return Ok(Filter::always());
    }
    // Frappe: the settings of a single are often empty, so strictness does not reach them.
    let strict = !doctype.is_single && known::of_site(cx)?.strict;
    let registry = cx.env.doctypes();
    let view = View { user: &user, registry: &registry, doctype };
    let mut filter = view.allowed(&doctype.name).map_or_else(Filter::always, |allowed| allowed.contains("name"));
    for (field, allowed) in view.links(doctype) {
        let within = allowed.contains(&field.fieldname);
        let empty = if strict { Filter::never() } else { Filter::on(field.fieldname.as_str(), Operation::IsNotSet) };
        filter = filter.and(empty.or(within));
    }
    for table in doctype.tables() {
        let Some(child) = registry.get(&table.options) else { continue };
        for (field, allowed) in view.links(child) {
            let mut outside = Filter::equals("parenttype", &doctype.name).and(Filter::equals("parentfield", &table.fieldname));
            if !strict {
                outside = outside.and(Filter::on(field.fieldname.as_str(), Operation::IsSet));
            }
            let outside = outside.and(allowed.lacks(&field.fieldname));
            filter = filter.and(Filter::on("name", Operation::NotInSet(NameSet::values(child, "parent", outside))));
        }
    }
    Ok(filter)
}

/// Whether a link to `target` in documents of `doctype` is restricted for the caller.
///
/// # Errors
/// [`AppError`] from the database, for what is not in memory.
pub(in crate::resource) fn restricts(cx: &mut Cx, caller: &Caller, doctype: &DocType, target: &str) -> Result<bool, AppError> {
    Ok(!caller.is_administrator() && known::of_user(cx, caller)?.restricts(target, &doctype.name))
}

/// What User Permissions say within documents of one doctype.
struct View<'a> {
    user: &'a UserRights,
    registry: &'a Registry,
    doctype: &'a DocType,
}

impl View<'_> {
    /// The restricted links of a document, or of its child rows.
    fn links<'f>(&self, of: &'f DocType) -> Vec<(&'f Field, Allowed)> {
        let is_link = |field: &&Field| field.fieldtype == FieldType::Link && !field.ignore_user_permissions;
        let of = of.fields.iter().filter(is_link).filter(|field| of.column(&field.fieldname).is_some());
        of.filter_map(|field| self.allowed(&field.options).map(|allowed| (field, allowed))).collect()
    }

    /// The documents of a doctype that the user may use; `None`: all.
    fn allowed(&self, target: &str) -> Option<Allowed> {
        if !self.user.restricts(target, &self.doctype.name) {
            return None;
        }
        let permissions = self.registry.get("User Permission")?;
        let applies = Filter::Or(vec![
            Filter::on("apply_to_all_doctypes", Operation::Equal(FieldValue::Int(1))),
            Filter::on("applicable_for", Operation::IsNotSet),
            Filter::equals("applicable_for", &self.doctype.name),
        ]);
        let of_user = Filter::equals("user", &self.user.user).and(Filter::equals("allow", target)).and(applies);
        let named = NameSet::values(permissions, "for_value", of_user.clone());
        // Frappe: what is beneath a document of a tree comes with it, unless the permission says otherwise.
        let tree = self.registry.get(target).filter(|target| target.tree_parent.is_some() && target.rows == Rows::OwnTable);
        let beneath = tree.map(|tree| {
            let opening = of_user.and(Filter::on("hide_descendants", Operation::Equal(FieldValue::Int(0))));
            NameSet::Beneath { tree: Arc::clone(tree), nodes: Box::new(NameSet::values(permissions, "for_value", opening)) }
        });
        Some(Allowed(std::iter::once(named).chain(beneath).collect()))
    }
}

/// The documents that a user may use: all that are in one of these sets.
struct Allowed(Vec<NameSet>);

impl Allowed {
    fn contains(&self, fieldname: &str) -> Filter {
        self.0.iter().fold(Filter::never(), |all, set| all.or(Filter::on(fieldname, Operation::InSet(set.clone()))))
    }

    fn lacks(&self, fieldname: &str) -> Filter {
        self.0.iter().fold(Filter::always(), |all, set| all.and(Filter::on(fieldname, Operation::NotInSet(set.clone()))))
    }
}

/// The documents that were shared with the caller, or with everyone, for an action; `None` where none of the doctype was.
///
/// # Errors
/// [`AppError`] from the database, for what is not in memory.
pub(super) fn shared(cx: &mut Cx, caller: &Caller, doctype: &DocType, action: Action) -> Result<Option<Filter>, AppError> {
    let Some(field) = known::share_field(action) else { return Ok(None) };
    if action == Action::Submit && !doctype.is_submittable {
        return Ok(None);
    }
    let user = known::of_user(cx, caller)?;
    let site = known::of_site(cx)?;
    let registry = cx.env.doctypes();
    let Some(shares) = registry.get("DocShare").filter(|_| known::is_shared(&user, &site, caller, doctype, field)) else {
        return Ok(None);
    };
    let is_on = |field: &str| Filter::on(field, Operation::Equal(FieldValue::Int(1)));
    let mut with = Filter::equals("user", caller.name());
    if !caller.is_guest() {
        with = with.or(is_on("everyone"));
    }
    let rows = Filter::equals("share_doctype", &doctype.name).and(is_on(field)).and(with);
    Ok(Some(Filter::on("name", Operation::InSet(NameSet::values(shares, "share_name", rows)))))
}
