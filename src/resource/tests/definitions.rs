//! The doctypes that every house has besides the shipped ones.

pub(super) const DEFINITIONS: &[&str] =
    &[THING, ORDER, ORDER_LINE, ORDER_TAG, PRODUCT, TICKET, COUNTED, SERIES, UNIQUE_ID, SETTINGS, PLACE, VISIT];

pub(super) const THING: &str = r#"{"name": "Odd Thing", "autoname": "prompt", "sort_field": "rank", "sort_order": "asc", "fields": [
    {"fieldname": "title", "label": "Title", "fieldtype": "Data", "unique": 1},
    {"fieldname": "code", "label": "Code", "fieldtype": "Data", "set_only_once": 1},
    {"fieldname": "rank", "label": "Rank", "fieldtype": "Int"},
    {"fieldname": "weight", "label": "Weight", "fieldtype": "Float"},
    {"fieldname": "done", "label": "Done", "fieldtype": "Check"},
    {"fieldname": "due", "label": "Due", "fieldtype": "Date"},
    {"fieldname": "seen", "label": "Seen", "fieldtype": "Datetime"},
    {"fieldname": "note", "label": "Note", "fieldtype": "Text"},
    {"fieldname": "todo", "label": "To Do", "fieldtype": "Link", "options": "ToDo"},
    {"fieldname": "about_type", "label": "About Type", "fieldtype": "Link", "options": "DocType"},
    {"fieldname": "about", "label": "About", "fieldtype": "Dynamic Link", "options": "about_type"},
    {"fieldname": "hidden", "label": "Hidden", "fieldtype": "Data", "permlevel": 1}
  ], "permissions": [{"role": "All", "read": 1, "write": 1, "create": 1, "delete": 1}, {"role": "System Manager", "permlevel": 1, "read": 1, "write": 1}]}"#;

const ORDER: &str = r#"{"name": "Order", "autoname": "format:ORD-{###}", "is_submittable": 1, "fields": [
    {"fieldname": "title", "label": "Title", "fieldtype": "Data", "reqd": 1},
    {"fieldname": "note", "label": "Note", "fieldtype": "Data", "allow_on_submit": 1},
    {"fieldname": "lines", "label": "Lines", "fieldtype": "Table", "options": "Order Line", "reqd": 1},
    {"fieldname": "tags", "label": "Tags", "fieldtype": "Table MultiSelect", "options": "Order Tag", "allow_on_submit": 1},
    {"fieldname": "amended_from", "label": "Amended From", "fieldtype": "Link", "options": "Order", "read_only": 1, "no_copy": 1},
    {"fieldname": "key", "label": "Key", "fieldtype": "Password"}
  ], "permissions": [{"role": "All", "read": 1, "write": 1, "create": 1, "delete": 1},
    {"role": "System Manager", "read": 1, "write": 1, "create": 1, "delete": 1, "submit": 1, "cancel": 1, "amend": 1},
    {"role": "System Manager", "permlevel": 1, "read": 1, "write": 1}]}"#;

const ORDER_LINE: &str = r#"{"name": "Order Line", "istable": 1, "fields": [
    {"fieldname": "item", "label": "Item", "fieldtype": "Link", "options": "Product", "reqd": 1},
    {"fieldname": "item_title", "label": "Item Title", "fieldtype": "Data", "fetch_from": "item.title"},
    {"fieldname": "rate", "label": "Rate", "fieldtype": "Float", "fetch_from": "item.rate", "fetch_if_empty": 1},
    {"fieldname": "qty", "label": "Qty", "fieldtype": "Int", "default": "1", "non_negative": 1},
    {"fieldname": "kind", "label": "Kind", "fieldtype": "Select", "options": "Normal\nGift"},
    {"fieldname": "cost", "label": "Cost", "fieldtype": "Int", "permlevel": 1},
    {"fieldname": "pin", "label": "PIN", "fieldtype": "Password"}
  ]}"#;

const ORDER_TAG: &str = r#"{"name": "Order Tag", "istable": 1, "fields": [
    {"fieldname": "tag", "label": "Tag", "fieldtype": "Data"}]}"#;

const PRODUCT: &str = r#"{"name": "Product", "autoname": "field:title", "fields": [
    {"fieldname": "title", "label": "Title", "fieldtype": "Data"},
    {"fieldname": "rate", "label": "Rate", "fieldtype": "Float"}
  ], "permissions": [{"role": "All", "read": 1, "write": 1, "create": 1, "delete": 1}]}"#;

const TICKET: &str = r#"{"name": "Odd Ticket", "autoname": "TK-.YYYY.-.#####", "fields": [
    {"fieldname": "subject", "label": "Subject", "fieldtype": "Data", "reqd": 1}
  ], "permissions": [{"role": "All", "read": 1, "write": 1, "create": 1, "delete": 1}]}"#;

const COUNTED: &str = r#"{"name": "Counted", "autoname": "autoincrement", "fields": [
    {"fieldname": "title", "label": "Title", "fieldtype": "Data"},
    {"fieldname": "next", "label": "Next", "fieldtype": "Link", "options": "Counted"}
  ], "permissions": [{"role": "All", "read": 1, "write": 1, "create": 1, "delete": 1}]}"#;

const SERIES: &str = r#"{"name": "In Series", "autoname": "naming_series:", "fields": [
    {"fieldname": "naming_series", "label": "Series", "fieldtype": "Select", "options": "S-\nT-.##"}
  ], "permissions": [{"role": "All", "read": 1, "write": 1, "create": 1, "delete": 1}]}"#;

const UNIQUE_ID: &str = r#"{"name": "Unique Id", "autoname": "UUID", "fields": [
    {"fieldname": "title", "label": "Title", "fieldtype": "Data"}
  ], "permissions": [{"role": "All", "read": 1, "write": 1, "create": 1, "delete": 1}]}"#;

const SETTINGS: &str = r#"{"name": "Odd Settings", "issingle": 1, "fields": [
    {"fieldname": "colour", "label": "Colour", "fieldtype": "Data", "default": "blue"},
    {"fieldname": "size", "label": "Size", "fieldtype": "Int"},
    {"fieldname": "since", "label": "Since", "fieldtype": "Date"},
    {"fieldname": "tags", "label": "Tags", "fieldtype": "Table", "options": "Order Tag"}
  ], "permissions": [{"role": "All", "read": 1}, {"role": "System Manager", "read": 1, "write": 1, "create": 1}]}"#;

const PLACE: &str = r#"{"name": "Place", "autoname": "field:title", "is_tree": 1, "nsm_parent_field": "above", "allow_rename": 1, "track_changes": 1, "fields": [
    {"fieldname": "title", "label": "Title", "fieldtype": "Data", "reqd": 1},
    {"fieldname": "above", "label": "Above", "fieldtype": "Link", "options": "Place"},
    {"fieldname": "is_group", "label": "Is Group", "fieldtype": "Check"},
    {"fieldname": "key", "label": "Key", "fieldtype": "Password"},
    {"fieldname": "tags", "label": "Tags", "fieldtype": "Table", "options": "Order Tag"}
  ], "permissions": [{"role": "All", "read": 1, "write": 1, "create": 1}, {"role": "System Manager", "read": 1, "write": 1, "create": 1, "delete": 1}]}"#;

const VISIT: &str = r#"{"name": "Visit", "autoname": "hash", "fields": [
    {"fieldname": "place", "label": "Place", "fieldtype": "Link", "options": "Place"},
    {"fieldname": "about_type", "label": "About Type", "fieldtype": "Link", "options": "DocType"},
    {"fieldname": "about", "label": "About", "fieldtype": "Dynamic Link", "options": "about_type"}
  ], "permissions": [{"role": "All", "read": 1, "write": 1, "create": 1, "delete": 1}]}"#;
