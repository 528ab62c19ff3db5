//! What a list is about, and what its caller may name and see.

use std::sync::Arc;

use chrono::NaiveDateTime;
use chrono_tz::Tz;

use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::column::ChildRows;
use crate::doctype::filter::{Asker, NameSet, Operation, shorten};
use crate::doctype::{Column, DocType, Field, FieldValue, Filter, Registry};
use crate::domain::scope::Access;
use crate::error::{AppError, Denied};
use crate::resource::permissions::{self, Action};

/// The doctype of a list.
pub(super) struct Target {
    pub registry: Arc<Registry>,
    pub doctype: Arc<DocType>,
    /// Whose rows they are, for a child table.
    parent: Option<Arc<DocType>>,
    /// The rows that the caller may see.
    pub rights: Filter,
}

impl Target {
    /// Finds a doctype that the caller may list; `parent` counts for child tables only.
    ///
    /// # Errors
    /// As [`permissions::permit`]; [`Denied::ChildTable`] for rows of a child table without their parent doctype.
    pub fn find(cx: &mut Cx, caller: &Caller, doctype: &str, parent: Option<&str>) -> Result<Self, AppError> {
        let registry = cx.env.doctypes();
        let child = registry.find(doctype).filter(|doctype| doctype.is_child_table).map(Arc::clone);
        let (Some(child), Some(parent)) = (child, parent) else {
            let doctype = permissions::permit(cx.env, caller, doctype, None, Action::Read)?;
            let rights = rights(cx, caller, &doctype)?;
            return Ok(Self { registry, doctype, parent: None, rights });
        };
        caller.require_doctype_scope(&child.name, Access::Read)?;
        let parent = permissions::permit(cx.env, caller, parent, None, Action::Read)?;
        let rights = rights_on_rows(cx, caller, &child, &parent)?;
        Ok(Self { registry, doctype: child, parent: Some(parent), rights })
    }

    /// The doctype whose permissions say which fields may be named.
    fn permitting(&self) -> &DocType {
        self.parent.as_deref().unwrap_or(&self.doctype)
    }
}

/// The documents of a doctype that the caller may read.
fn rights(_cx: &mut Cx, caller: &Caller, doctype: &DocType) -> Result<Filter, AppError> {
    Ok(permissions::filter(caller, doctype, Action::Read))
}

/// The rows of a child table that are rows of readable documents, in tables that the caller may see.
fn rights_on_rows(cx: &mut Cx, caller: &Caller, child: &DocType, parent: &Arc<DocType>) -> Result<Filter, AppError> {
    let tables = parent.tables().filter(|table| table.options == child.name && may_read(caller, parent, table));
    let tables: Vec<FieldValue> = tables.map(|table| FieldValue::Text(table.fieldname.clone())).collect();
    if tables.is_empty() {
        return Err(AppError::NotPermitted(Denied::ChildTable(child.name.clone())));
    }
    let of_tables = Filter::And(vec![Filter::equals("parenttype", &parent.name), Filter::on("parentfield", Operation::In(tables))]);
    let readable = rights(cx, caller, parent)?;
    if readable.is_always() {
        return Ok(of_tables);
    }
    let parents = NameSet::Documents { doctype: Arc::clone(parent), filter: Box::new(readable) };
    Ok(of_tables.and(Filter::on("parent", Operation::InSet(parents))))
}

fn may_read(caller: &Caller, doctype: &DocType, field: &Field) -> bool {
    permissions::may_use(caller, doctype, field, Action::Read)
}

/// Someone who names fields of a list.
pub(super) struct Asking<'a, 'c> {
    cx: &'a mut Cx<'c>,
    caller: &'a Caller,
    target: &'a Target,
    /// What the caller may see behind each Link that was named.
    links: Vec<(String, Filter)>,
}

impl<'a, 'c> Asking<'a, 'c> {
    pub fn new(cx: &'a mut Cx<'c>, caller: &'a Caller, target: &'a Target) -> Self {
        Self { cx, caller, target, links: Vec::new() }
    }

    pub fn target(&self) -> &'a Target {
        self.target
    }

    /// The site's time zone, and the request's instant in UTC.
    pub fn site(&self) -> (Tz, NaiveDateTime) {
        (self.cx.env.config.site.time_zone, self.cx.now.naive_utc())
    }

    pub fn into_links(self) -> Vec<(String, Filter)> {
        self.links
    }

    /// Reads the name of a field; `None` for one of a level that the caller lacks.
    ///
    /// # Errors
    /// [`AppError::FieldNotPermitted`] repeating `text` for what is no field; what refuses a linked doctype.
    pub fn name(&mut self, text: &str) -> Result<Option<Column>, AppError> {
        let column = Column::read(&self.target.registry, &self.target.doctype, text);
        let column = column.ok_or_else(|| AppError::FieldNotPermitted(shorten(text)))?;
        Ok(self.may_name(&column)?.then_some(column))
    }

    /// The same where a hidden field is refused.
    ///
    /// # Errors
    /// As [`Asking::name`].
    pub fn name_visible(&mut self, text: &str) -> Result<Column, AppError> {
        self.name(text)?.ok_or_else(|| AppError::FieldNotPermitted(shorten(text)))
    }

    fn may_see_rows(&self, rows: &ChildRows) -> bool {
        let doctype = &self.target.doctype;
        let meant = |table: &&Field| table.options == rows.doctype.name && rows.table.as_ref().is_none_or(|name| *name == table.fieldname);
        doctype.tables().filter(meant).all(|table| may_read(self.caller, doctype, table))
    }
}

impl Asker for Asking<'_, '_> {
    fn may_name(&mut self, column: &Column) -> Result<bool, AppError> {
        let (caller, target) = (self.caller, self.target);
        let own = |fieldname: &str| {
            let field = target.doctype.column(fieldname);
            field.is_some_and(|(field, _)| may_read(caller, target.permitting(), field))
        };
        match column {
            Column::Own(fieldname) => Ok(own(fieldname)),
            Column::Linked { link, doctype, fieldname } => {
                if !own(link) {
                    return Ok(false);
                }
                let readable = self.readable(doctype)?;
                if !self.links.iter().any(|(known, _)| known == link) {
                    self.links.push((link.clone(), readable));
                }
                Ok(doctype.column(fieldname).is_some_and(|(field, _)| may_read(caller, doctype, field)))
            }
            Column::Child { rows, fieldname } => {
                let field = rows.doctype.column(fieldname);
                Ok(self.may_see_rows(rows) && field.is_some_and(|(field, _)| may_read(caller, target.permitting(), field)))
            }
        }
    }

    fn readable(&mut self, doctype: &DocType) -> Result<Filter, AppError> {
        permissions::permit(self.cx.env, self.caller, &doctype.name, None, Action::Read)?;
        rights(self.cx, self.caller, doctype)
    }
}
