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

/// Most links and tables that the paths of a list lead through. Each is a join, and what Postgres needs to find
/// their order grows faster than their number.
const MAX_PATHS: usize = 16;

/// The doctype of a list.
pub struct Target {
    pub(super) registry: Arc<Registry>,
    pub(super) doctype: Arc<DocType>,
    /// Whose rows they are, for a child table.
    parent: Option<Arc<DocType>>,
    /// What the caller may do with documents whose fields are named: read them, or only select them.
    action: Action,
    /// The rows that the caller may use, where that was settled beforehand.
    within: Option<Filter>,
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
            let (doctype, action) = permissions::open_list(cx, caller, doctype)?;
            return Ok(Self { registry, doctype, parent: None, action, within: None });
        };
        caller.require_doctype_scope(&child.name, Access::Read)?;
        let parent = permissions::enter(cx, caller, parent, None, Action::Read)?;
        Ok(Self { registry, doctype: child, parent: Some(parent), action: Action::Read, within: None })
    }

    /// A doctype of whose documents the caller may read those that `within` holds for, which is no more than they may read.
    pub fn within(cx: &Cx, doctype: Arc<DocType>, within: Filter) -> Self {
        Self { registry: cx.env.doctypes(), doctype, parent: None, action: Action::Read, within: Some(within) }
    }

    /// The rows that the caller may see where these fields are named, and whether they may be read or only selected.
    ///
    /// # Errors
    /// [`Denied::ChildTable`] for rows of a table that the caller may not see.
    pub fn rights(&self, cx: &mut Cx, caller: &Caller, named: &[Column]) -> Result<(Filter, Action), AppError> {
        match (&self.within, &self.parent) {
            (Some(within), _) => Ok((within.clone(), Action::Read)),
            (None, Some(parent)) => Ok((rights_on_rows(cx, caller, &self.doctype, parent)?, Action::Read)),
            (None, None) => permissions::list_rights(cx, caller, &self.doctype, named),
        }
    }

    /// The doctype whose permissions say which fields may be named.
    fn permitting(&self) -> &DocType {
        self.parent.as_deref().unwrap_or(&self.doctype)
    }
}

/// The rows of a child table that are rows of readable documents, in tables that the caller may see.
fn rights_on_rows(cx: &mut Cx, caller: &Caller, child: &DocType, parent: &Arc<DocType>) -> Result<Filter, AppError> {
    let tables = parent.tables().filter(|table| table.options == child.name && may_read(caller, parent, table));
    let tables: Vec<FieldValue> = tables.map(|table| FieldValue::Text(table.fieldname.clone())).collect();
    if tables.is_empty() {
        return Err(AppError::NotPermitted(Denied::ChildTable(child.name.clone())));
    }
    let of_tables = Filter::And(vec![Filter::equals("parenttype", &parent.name), Filter::on("parentfield", Operation::In(tables))]);
    let readable = permissions::rights(cx, caller, parent, Action::Read)?;
    if readable.is_always() {
        return Ok(of_tables);
    }
    let parents = NameSet::Documents { doctype: Arc::clone(parent), filter: Box::new(readable) };
    Ok(of_tables.and(Filter::on("parent", Operation::InSet(parents))))
}

fn may_read(caller: &Caller, doctype: &DocType, field: &Field) -> bool {
    permissions::may_use(caller, doctype, field, Action::Read)
}

/// What the caller may see of a list.
pub(super) struct Seen {
    /// The rows.
    pub rights: Filter,
    /// Whether some of them cannot be read, so that nothing but what was named may be used.
    pub selected_only: bool,
    /// What is behind each Link that was named.
    pub links: Vec<(String, Filter)>,
}

/// Someone who names fields of a list.
pub(super) struct Asking<'a, 'c> {
    cx: &'a mut Cx<'c>,
    caller: &'a Caller,
    target: &'a Target,
    /// What the caller may see behind each Link that was named.
    links: Vec<(String, Filter)>,
    /// The child rows that were named.
    rows: Vec<ChildRows>,
    /// Every field that was named and may be used.
    named: Vec<Column>,
}

impl<'a, 'c> Asking<'a, 'c> {
    pub fn new(cx: &'a mut Cx<'c>, caller: &'a Caller, target: &'a Target) -> Self {
        Self { cx, caller, target, links: Vec::new(), rows: Vec::new(), named: Vec::new() }
    }

    pub fn target(&self) -> &'a Target {
        self.target
    }

    /// The site's time zone, and the request's instant in UTC.
    pub fn site(&self) -> (Tz, NaiveDateTime) {
        (self.cx.env.config.site.time_zone, self.cx.now.naive_utc())
    }

    /// What the caller may see of what was named: the rows, whether to read or only to select them, and what is behind each Link.
    ///
    /// # Errors
    /// As [`Target::rights`].
    pub fn settle(self) -> Result<Seen, AppError> {
        let (rights, action) = self.target.rights(self.cx, self.caller, &self.named)?;
        Ok(Seen { rights, selected_only: action == Action::Select, links: self.links })
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

    /// Whether the caller could name a field of the document itself. It does not count as named.
    pub fn may_see(&self, fieldname: &str) -> bool {
        let target = self.target;
        let field = target.doctype.column(fieldname);
        field.is_some_and(|(field, _)| permissions::may_use(self.caller, target.permitting(), field, target.action))
    }

    fn limit_paths(&self) -> Result<(), AppError> {
        if self.links.len() + self.rows.len() > MAX_PATHS {
            return Err(AppError::InvalidData(format!("fields of more than {MAX_PATHS} links and tables; ask for them in several lists")));
        }
        Ok(())
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
        let may_name = match column {
            Column::Own(fieldname) => self.may_see(fieldname),
            Column::Linked { link, doctype, fieldname } => {
                if !self.may_see(link) {
                    return Ok(false);
                }
                let readable = self.readable(doctype)?;
                if !self.links.iter().any(|(known, _)| known == link) {
                    self.links.push((link.clone(), readable));
                    self.limit_paths()?;
                }
                doctype.column(fieldname).is_some_and(|(field, _)| may_read(caller, doctype, field))
            }
            Column::Child { rows, fieldname } => {
                if !self.rows.contains(rows) {
                    self.rows.push(rows.clone());
                    self.limit_paths()?;
                }
                let field = rows.doctype.column(fieldname);
                self.may_see_rows(rows) && field.is_some_and(|(field, _)| may_read(caller, target.permitting(), field))
            }
        };
        if may_name {
            self.named.push(column.clone());
        }
        Ok(may_name)
    }

    fn readable(&mut self, doctype: &DocType) -> Result<Filter, AppError> {
        permissions::open(self.cx, self.caller, &doctype.name, None, Action::Read).map(|(_, rights)| rights)
    }
}
