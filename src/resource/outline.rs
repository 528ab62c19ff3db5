//! What a caller may do with each doctype at all, for who describes the API to them.

use std::sync::Arc;

use super::permissions::{self, Action};
use crate::auth::Caller;
use crate::cx::Env;
use crate::doctype::{DocType, Field};

/// A doctype as one caller meets it.
pub struct Outline {
    pub doctype: Arc<DocType>,
    actions: Vec<Action>,
    /// What who is not logged in may do.
    of_guests: Vec<Action>,
    /// Own fields that it shows to the caller, and those that it takes from them.
    shown: Vec<bool>,
    taken: Vec<bool>,
}

impl Outline {
    fn new(caller: &Caller, doctype: &Arc<DocType>, actions: Vec<Action>, of_guests: Vec<Action>) -> Self {
        let may = |action| move |field: &Field| permissions::may_use(caller, doctype, field, action);
        let shown = doctype.fields.iter().map(|field| !field.is_secret() && !field.write_only && may(Action::Read)(field)).collect();
        let taken = doctype.fields.iter().map(|field| !field.managed && may(Action::Write)(field)).collect();
        Self { doctype: Arc::clone(doctype), actions, of_guests, shown, taken }
    }

    /// Whether there may be documents on which the caller may do this.
    pub fn allows(&self, action: Action) -> bool {
        self.actions.contains(&action)
    }

    /// Whether this may also be done without being logged in.
    pub fn allows_guests(&self, action: Action) -> bool {
        self.of_guests.contains(&action)
    }

    /// Its own fields that the caller sees.
    pub fn shown(&self) -> impl Iterator<Item = &Field> {
        self.doctype.fields.iter().zip(&self.shown).filter_map(|(field, shown)| shown.then_some(field))
    }

    /// Its own fields that the caller may send.
    pub fn taken(&self) -> impl Iterator<Item = &Field> {
        self.doctype.fields.iter().zip(&self.taken).filter_map(|(field, taken)| taken.then_some(field))
    }
}

/// The doctypes whose documents a caller may reach, by name; rights and scopes are both asked.
pub fn outlines(env: &Env, caller: &Caller) -> Vec<Outline> {
    let registry = env.doctypes();
    let reached = registry.iter().filter_map(|doctype| {
        let actions = allowed(env, caller, doctype);
        (!actions.is_empty()).then(|| Outline::new(caller, doctype, actions, allowed(env, &Caller::guest(), doctype)))
    });
    reached.collect()
}

fn allowed(env: &Env, caller: &Caller, doctype: &DocType) -> Vec<Action> {
    let all = [Action::Read, Action::Create, Action::Write, Action::Delete];
    all.into_iter().filter(|action| permissions::is_open(env, caller, doctype, *action)).collect()
}

/// A child table's doctype as it is met inside its parents: their rights count, not its own.
pub fn outline_of_child(env: &Env, caller: &Caller, doctype: &str) -> Option<Outline> {
    let registry = env.doctypes();
    let doctype = registry.get(doctype).filter(|doctype| doctype.is_child_table)?;
    Some(Outline::new(caller, doctype, Vec::new(), Vec::new()))
}
