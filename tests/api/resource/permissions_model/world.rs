//! Contract 7.4 a second time: who may do what, as a few loops over documents in memory, and random worlds.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

pub const USERS: [&str; 5] = ["amina@example.com", "boris@example.com", "chen@example.com", "Guest", "Administrator"];
pub const ROLES: [&str; 4] = ["Rho", "Sigma", "All", "Guest"];
/// The roles of each user; Administrator needs none.
pub const ROLES_OF: [&[&str]; 5] =
    [&["Rho", "All", "Guest"], &["Sigma", "All", "Guest"], &["Rho", "Sigma", "All", "Guest"], &["Guest"], &["All", "Guest"]];
pub const ADMINISTRATOR: usize = 4;
pub const GUEST: usize = 3;

pub const REGION: usize = 0;
pub const CLIENT: usize = 1;
pub const DEAL: usize = 2;
pub const DOCTYPES: [&str; 3] = ["Region", "Client", "Deal"];
/// As `get_doc_permissions` lists them.
pub const RIGHTS: [&str; 14] =
    ["select", "read", "write", "create", "delete", "submit", "cancel", "amend", "print", "email", "report", "import", "export", "share"];

/// A field of a document: name, type, options, level, and whether User Permissions leave it alone.
pub type FieldSpec = (&'static str, &'static str, &'static str, u8, bool);
pub const FIELDS: [&[FieldSpec]; 3] = [
    &[("title", "Data", "", 0, false), ("parent_region", "Link", "Region", 0, false), ("hidden", "Data", "", 1, false)],
    &[
        ("title", "Data", "", 0, false),
        ("region", "Link", "Region", 0, false),
        ("note", "Data", "", 0, false),
        ("hidden", "Data", "", 1, false),
    ],
    &[
        ("title", "Data", "", 0, false),
        ("client", "Link", "Client", 0, false),
        ("other", "Link", "Client", 0, true),
        ("about_type", "Link", "DocType", 0, false),
        ("about", "Dynamic Link", "about_type", 0, false),
        ("note", "Data", "", 0, false),
        ("hidden", "Data", "", 1, false),
        ("deep", "Int", "", 2, false),
        ("amended_from", "Link", "Deal", 0, true),
    ],
];
/// The fields of the rows of `items`, which only deals have, and their levels.
pub const ITEM_FIELDS: [(&str, u8); 2] = [("region", 0), ("cost", 1)];
/// What a doctype's `search_fields` name besides `hidden`.
const SEARCHED: [&[&str]; 3] = [&[], &["region"], &[]];
/// The tree: name, parent, lft, rgt.
pub const REGIONS: [(&str, Option<usize>, i64, i64); 4] =
    [("World", None, 1, 8), ("North", Some(0), 2, 5), ("Summit", Some(1), 3, 4), ("South", Some(0), 6, 7)];
/// What the embedder's hook closes.
pub const VETOED: &str = "note 1";

/// One row of a doctype's permissions.
#[derive(Clone, Debug)]
pub struct Row {
    pub role: usize,
    pub level: u8,
    pub if_owner: bool,
    pub rights: [bool; RIGHTS.len()],
}

impl Row {
    fn gives(&self, right: &str) -> bool {
        let is = |right: &str| RIGHTS.iter().position(|known| *known == right).is_some_and(|at| self.rights[at]);
        is(right) || (right == "select" && is("read"))
    }
}

#[derive(Clone, Debug)]
pub struct UserPermission {
    pub user: usize,
    pub allow: usize,
    pub value: usize,
    pub applicable_for: Option<usize>,
    pub hide_descendants: bool,
    pub is_default: bool,
}

#[derive(Clone, Debug)]
pub struct Share {
    /// `None`: everyone.
    pub user: Option<usize>,
    pub doctype: usize,
    pub document: usize,
    pub write: bool,
    /// Only deals can be submitted.
    pub submit: bool,
    pub share: bool,
}

#[derive(Clone, Debug)]
pub struct Document {
    pub doctype: usize,
    pub name: String,
    pub owner: usize,
    pub fields: BTreeMap<&'static str, Value>,
    /// The region and the level-1 cost of each row of `items`.
    pub items: Vec<(Option<usize>, String)>,
    /// Seconds; no two documents of a world were changed at once.
    pub modified: u64,
}

/// How the definition of a doctype presents its documents; any of it may be a field that few may see.
#[derive(Clone, Debug)]
pub struct Look {
    pub sort_field: &'static str,
    pub title_field: &'static str,
    pub searches_hidden: bool,
}

/// Everything that decides who may do what, and the rules of contract 7.4 over it.
#[derive(Clone, Debug)]
pub struct World {
    pub rows: Vec<Vec<Row>>,
    pub looks: Vec<Look>,
    pub documents: Vec<Document>,
    pub user_permissions: Vec<UserPermission>,
    pub shares: Vec<Share>,
    pub strict: bool,
    pub sharing_is_off: bool,
    /// Whether a hook closes deals with [`VETOED`].
    pub vetoes: bool,
}

impl World {
    /// The documents of a doctype, in the order in which they were made.
    pub fn of(&self, doctype: usize) -> impl Iterator<Item = &Document> {
        self.documents.iter().filter(move |document| document.doctype == doctype)
    }

    pub fn nth(&self, doctype: usize, index: usize) -> &Document {
        let count = self.of(doctype).count();
        self.of(doctype).nth(index % count).expect("there are some of each")
    }

    pub fn find(&self, doctype: usize, name: &str) -> Option<&Document> {
        self.of(doctype).find(|document| document.name == name)
    }

    /// The rows of a level that a user's roles give, for a right.
    pub fn rows<'a>(&'a self, user: usize, doctype: usize, level: u8, right: &'a str) -> impl Iterator<Item = &'a Row> {
        let possible = level > 0 || is_possible(doctype, right);
        self.rows[doctype]
            .iter()
            .filter(move |row| possible && row.level == level && row.gives(right) && ROLES_OF[user].contains(&ROLES[row.role]))
    }

    /// Whether a user may do something with a document.
    pub fn may(&self, user: usize, document: &Document, right: &str) -> bool {
        if user == ADMINISTRATOR {
            return true;
        }
        if right == "share" && self.sharing_is_off {
            return false;
        }
        let for_all = self.rows(user, document.doctype, 0, right).any(|row| !row.if_owner);
        let for_owners = self.rows(user, document.doctype, 0, right).any(|row| row.if_owner);
        let by_role = match (for_all, for_owners) {
            (true, _) => self.passes_user_permissions(user, document),
            // Who may make what is theirs may make a document like this one.
            (false, true) if right == "create" => self.passes_user_permissions(user, document),
            (false, own) => own && document.owner == user,
        };
        let allowed = (by_role && !self.is_vetoed(document)) || self.is_shared(user, document, right);
        // `select` is implied by `read`.
        allowed || (right == "select" && self.may(user, document, "read"))
    }

    fn is_vetoed(&self, document: &Document) -> bool {
        self.vetoes && document.doctype == DEAL && document.fields.get("note").is_some_and(|note| note == VETOED)
    }

    /// A document is created by whoever has a row that creates and leaves its links within their User Permissions.
    pub fn may_create(&self, user: usize, document: &Document) -> bool {
        user == ADMINISTRATOR
            || (self.rows(user, document.doctype, 0, "create").next().is_some() && self.passes_user_permissions(user, document))
    }

    fn is_shared(&self, user: usize, document: &Document, right: &str) -> bool {
        self.shares.iter().any(|share| {
            share.is_with(user) && share.gives(right) && share.doctype == document.doctype && {
                self.nth(share.doctype, share.document).name == document.name
            }
        })
    }

    fn passes_user_permissions(&self, user: usize, document: &Document) -> bool {
        let within = |target: usize, name: &str| self.allowed(user, target, document.doctype).is_none_or(|names| names.contains(name));
        let link = |target: usize, value: Option<&str>| match value {
            Some(name) => within(target, name),
            None => !self.strict || self.allowed(user, target, document.doctype).is_none(),
        };
        within(document.doctype, &document.name)
            && FIELDS[document.doctype].iter().all(|(name, fieldtype, options, _, ignored)| match target(options) {
                Some(target) if *fieldtype == "Link" && !ignored => link(target, document.fields.get(name).and_then(Value::as_str)),
                _ => true,
            })
            && document.items.iter().all(|(region, _)| link(REGION, region.map(|region| REGIONS[region].0)))
    }

    /// The documents of `target` that a user may use in documents of `doctype`; `None`: all.
    pub fn allowed(&self, user: usize, target: usize, doctype: usize) -> Option<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        for permission in &self.user_permissions {
            let applies = permission.applicable_for.is_none_or(|only| only == doctype);
            if permission.user != user || permission.allow != target || !applies {
                continue;
            }
            let named = self.nth(target, permission.value);
            names.insert(named.name.clone());
            if target == REGION && !permission.hide_descendants {
                let (_, _, from, to) = REGIONS[permission.value % REGIONS.len()];
                names.extend(REGIONS.iter().filter(|(_, _, lft, rgt)| from < *lft && *rgt < to).map(|(name, ..)| (*name).to_owned()));
            }
        }
        (!names.is_empty()).then_some(names)
    }

    /// Whether anything opens a doctype for a user at all.
    pub fn opens(&self, user: usize, doctype: usize, right: &str) -> bool {
        let shared = || self.shares.iter().any(|share| share.doctype == doctype && share.is_with(user) && share.gives(right));
        let off = right == "share" && self.sharing_is_off;
        user == ADMINISTRATOR || (!off && (self.rows(user, doctype, 0, right).next().is_some() || shared()))
    }

    pub fn sees_level(&self, user: usize, doctype: usize, level: u8) -> bool {
        level == 0 || user == ADMINISTRATOR || self.rows(user, doctype, level, "read").next().is_some()
    }

    pub fn writes_level(&self, user: usize, doctype: usize, level: u8) -> bool {
        level == 0 || user == ADMINISTRATOR || self.rows(user, doctype, level, "write").next().is_some()
    }

    /// Whether a field is among what `select` gives.
    pub fn is_selectable(&self, doctype: usize, field: &str) -> bool {
        field == "name" || self.looks[doctype].title_field == field || self.search_fields(doctype).contains(&field)
    }

    pub fn search_fields(&self, doctype: usize) -> Vec<&'static str> {
        let hidden = self.looks[doctype].searches_hidden.then_some("hidden");
        SEARCHED[doctype].iter().copied().chain(hidden).collect()
    }

    /// Whether a user may name a field of a doctype that is open to them, in a list of it.
    pub fn may_name(&self, user: usize, doctype: usize, field: &str) -> bool {
        let level = level(doctype, field);
        if user == ADMINISTRATOR || self.opens(user, doctype, "read") {
            return self.sees_level(user, doctype, level);
        }
        self.is_selectable(doctype, field) && (level == 0 || self.rows(user, doctype, level, "select").next().is_some())
    }

    /// Texts that a user must not be told, whatever they ask for: the titles, hidden fields and costs that no right gives them.
    pub fn secrets(&self, user: usize) -> Vec<&str> {
        let mut secrets = Vec::new();
        for document in &self.documents {
            let reads = self.may(user, document, "read");
            let selects = |field: &str| self.is_selectable(document.doctype, field) && self.may(user, document, "select");
            let sees = |level: u8| {
                self.sees_level(user, document.doctype, level) || self.rows(user, document.doctype, level, "select").next().is_some()
            };
            for (field, level) in [("title", 0), ("hidden", 1)] {
                if !((reads && self.sees_level(user, document.doctype, level)) || (selects(field) && sees(level))) {
                    secrets.extend(document.fields.get(field).and_then(Value::as_str));
                }
            }
            if !(reads && self.sees_level(user, document.doctype, 1)) {
                secrets.extend(document.items.iter().map(|(_, cost)| cost.as_str()));
            }
        }
        secrets
    }
}

impl Share {
    fn is_with(&self, user: usize) -> bool {
        self.user.map_or(user != GUEST, |with| with == user)
    }

    fn gives(&self, right: &str) -> bool {
        let submits = self.submit && self.doctype == DEAL;
        match right {
            "select" | "read" | "print" | "email" => true,
            // Whoever may submit may write.
            "write" => self.write || submits,
            "submit" => submits,
            "share" => self.share,
            _ => false,
        }
    }
}

/// Whether a doctype has a right at all.
fn is_possible(doctype: usize, right: &str) -> bool {
    match right {
        "submit" => doctype == DEAL,
        "import" => doctype == CLIENT,
        _ => true,
    }
}

/// The doctype of this name, among ours.
pub fn target(options: &str) -> Option<usize> {
    DOCTYPES.iter().position(|doctype| *doctype == options)
}

pub fn level(doctype: usize, field: &str) -> u8 {
    FIELDS[doctype].iter().find(|(name, ..)| *name == field).map_or(0, |(_, _, _, level, _)| *level)
}

fn row() -> impl Strategy<Value = Row> {
    let level = prop_oneof![5 => Just(0_u8), 2 => Just(1), 1 => Just(2)];
    let rights = prop::array::uniform14(prop::bool::weighted(0.6)).prop_flat_map(|rights| {
        // Selecting without reading is seldom chance's choice.
        let mut only_selects = rights;
        (only_selects[0], only_selects[1]) = (true, false);
        prop_oneof![3 => Just(rights), 1 => Just(only_selects)]
    });
    (0..ROLES.len(), level, prop::bool::weighted(0.3), rights).prop_map(|(role, level, if_owner, rights)| Row {
        role,
        level,
        if_owner: if_owner && level == 0,
        rights,
    })
}

fn look() -> impl Strategy<Value = Look> {
    let sort_field = prop_oneof![2 => Just("modified"), 2 => Just("hidden"), 1 => Just("title")];
    let title_field = prop_oneof![3 => Just("title"), 1 => Just("hidden")];
    (sort_field, title_field, prop::bool::weighted(0.3)).prop_map(|(sort_field, title_field, searches_hidden)| Look {
        sort_field,
        title_field,
        searches_hidden,
    })
}

pub fn world() -> impl Strategy<Value = World> {
    let rows = prop::collection::vec(prop::collection::vec(row(), 1..7), 3);
    let owner = || 0..USERS.len();
    let link = || prop::option::weighted(0.75, 0..4_usize);
    let clients = prop::collection::vec((owner(), link()), 4);
    let deals = prop::collection::vec((owner(), link(), link(), link(), prop::collection::vec(link(), 0..3)), 5);
    let user_permission = (0..4_usize, 0..3_usize, 0..4_usize, prop::option::weighted(0.3, 0..3_usize), any::<bool>(), any::<bool>())
        .prop_map(|(user, allow, value, applicable_for, hide_descendants, is_default)| UserPermission {
            user,
            allow,
            value,
            applicable_for,
            hide_descendants,
            is_default,
        });
    let share = (prop::option::weighted(0.8, 0..4_usize), 0..3_usize, 0..4_usize, any::<bool>(), any::<bool>(), any::<bool>())
        .prop_map(|(user, doctype, document, write, submit, share)| Share { user, doctype, document, write, submit, share });
    let (user_permissions, shares) = (prop::collection::vec(user_permission, 0..4), prop::collection::vec(share, 0..3));
    let switches = (prop::bool::weighted(0.3), prop::bool::weighted(0.2), prop::bool::weighted(0.5));
    let decided = (rows, prop::collection::vec(look(), 3), user_permissions, shares, switches);
    (decided, prop::collection::vec(owner(), 4), clients, deals).prop_map(
        |((rows, looks, user_permissions, mut shares, (strict, sharing_is_off, vetoes)), regions, clients, deals)| {
            // A document is shared with somebody once.
            let mut shared = BTreeSet::new();
            shares.retain(|share: &Share| shared.insert((share.user, share.doctype, share.document)));
            let mut documents = Vec::new();
            let mut put = |doctype: usize, name: String, owner: usize, further: Vec<(&'static str, Value)>, items| {
                let mut fields = texts(&name);
                fields.extend(further);
                // Neither the order of names nor that of titles.
                let modified = (documents.len() as u64 * 7) % 13;
                documents.push(Document { doctype, name, owner, fields, items, modified });
            };
            for ((name, parent, ..), owner) in REGIONS.iter().zip(regions) {
                let parent = parent.map(|parent| ("parent_region", json!(REGIONS[parent].0)));
                put(REGION, (*name).to_owned(), owner, parent.into_iter().collect(), Vec::new());
            }
            for (index, (owner, region)) in clients.into_iter().enumerate() {
                let mut fields = vec![("note", json!(format!("note {}", index % 2)))];
                fields.extend(region.map(|region| ("region", json!(REGIONS[region].0))));
                put(CLIENT, format!("Client {index}"), owner, fields, Vec::new());
            }
            for (index, (owner, client, other, about, items)) in deals.into_iter().enumerate() {
                let mut fields = vec![("note", json!(format!("note {}", index % 2))), ("deep", json!(index % 3 + 1))];
                fields.extend(client.map(|client| ("client", json!(format!("Client {client}")))));
                fields.extend(other.map(|other| ("other", json!(format!("Client {other}")))));
                if let Some(about) = about {
                    fields.extend([("about_type", json!("Client")), ("about", json!(format!("Client {about}")))]);
                }
                let items = items.into_iter().enumerate().map(|(at, region)| (region, format!("cost {at} of Deal {index}"))).collect();
                put(DEAL, format!("Deal {index}"), owner, fields, items);
            }
            World { rows, looks, documents, user_permissions, shares, strict, sharing_is_off, vetoes }
        },
    )
}

/// Texts that no other document has. What is hidden sorts the other way round.
pub fn texts(name: &str) -> BTreeMap<&'static str, Value> {
    let last = name.bytes().last().unwrap_or_default();
    BTreeMap::from([
        ("title", json!(format!("title of {name}"))),
        ("hidden", json!(format!("{} hidden of {name}", b'z'.wrapping_sub(last)))),
    ])
}
