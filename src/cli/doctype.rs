//! `ostiary doctype`: the definitions of the site.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Subcommand;

use super::table::table;
use crate::app::Workshop;
use crate::config::Config;
use crate::doctype::{DocType, Origin, Rows};
use crate::domain::user::ADMINISTRATOR;
use crate::resource::doctypes::{self, Import, Kept, Source};

/// Longest file that is looked into; the largest definitions of Frappe's apps have some 100 KB.
const MAX_FILE: u64 = 4 * 1024 * 1024;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Add or change doctypes from Frappe's DocType JSON; documents are kept, and running servers hear of it
    Import {
        /// A file, or a folder that is searched for definitions
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// Import the rest where some are refused; without it nothing is changed then
        #[arg(long)]
        keep_going: bool,
    },
    /// Show every doctype, where it comes from and what it is
    List,
}

pub(super) fn run(config: Config, command: Command) -> Result<String, String> {
    // What is not there yet is no reason to begin with the database.
    let found = match &command {
        Command::Import { paths, .. } => find(paths)?,
        Command::List => Found::default(),
    };
    let workshop = Workshop::beside(config).map_err(|error| error.to_string())?;
    match command {
        Command::Import { keep_going, .. } => import(&workshop, found, keep_going),
        Command::List => Ok(list(&workshop)),
    }
}

/// What the paths lead to.
#[derive(Default)]
struct Found {
    definitions: Vec<Source>,
    /// Files that are something else.
    ignored: usize,
}

fn find(paths: &[PathBuf]) -> Result<Found, String> {
    let mut found = Found::default();
    let mut seen = BTreeSet::new();
    for path in paths {
        let refuse = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
        if std::fs::metadata(path).map_err(refuse)?.is_dir() {
            search(path, &mut seen, &mut found)?;
        } else if seen.insert(std::fs::canonicalize(path).map_err(refuse)?) {
            // A file that was named is meant, whatever is in it.
            let text = std::fs::read_to_string(path).map_err(refuse)?;
            found.definitions.push(Source { file: path.display().to_string(), text });
        }
    }
    Ok(found)
}

/// Searches a folder in the order of names. Links are not followed, which could lead around in circles.
fn search(folder: &Path, seen: &mut BTreeSet<PathBuf>, found: &mut Found) -> Result<(), String> {
    let refuse = |error: std::io::Error| format!("cannot read {}: {error}", folder.display());
    let mut entries: Vec<_> = std::fs::read_dir(folder).and_then(Iterator::collect).map_err(refuse)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type().map_err(refuse)?);
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if kind.is_dir() {
            if !name.starts_with('.') && name != "node_modules" {
                search(&path, seen, found)?;
            }
        } else if kind.is_file() && name.ends_with(".json") && seen.insert(std::fs::canonicalize(&path).map_err(refuse)?) {
            let short = entry.metadata().map_err(refuse)?.len() <= MAX_FILE;
            let text = if short { String::from_utf8(std::fs::read(&path).map_err(refuse)?).ok() } else { None };
            match text.filter(|text| doctypes::may_be_definition(text)) {
                Some(text) => found.definitions.push(Source { file: path.display().to_string(), text }),
                None => found.ignored += 1,
            }
        }
    }
    Ok(())
}

fn import(workshop: &Workshop, found: Found, keep_going: bool) -> Result<String, String> {
    let Import { doctypes, mut refused, warnings } = workshop.read(|cx| doctypes::check(cx, &found.definitions)).map_err(super::refusal)?;
    let mut text = String::new();
    let refusals = |refused: &[crate::doctype::InvalidDefinition]| {
        refused.iter().map(|refusal| format!("refused    {}: {}\n", refusal.file, refusal.what)).collect::<String>()
    };
    if !refused.is_empty() && !keep_going {
        super::print(&refusals(&refused));
        return Err(format!(
            "{} of {} cannot be used, so nothing was changed. Mend what is named above and import again, or import the others with --keep-going",
            refused.len(),
            counted(found.definitions.len(), "definition")
        ));
    }
    let (mut added, mut changed, mut left_alone) = (0, 0, 0);
    for doctype in doctypes {
        match keep(workshop, &doctype) {
            Ok(Kept::Added) => {
                added += 1;
                text.push_str(&format!("added      {}\n", doctype.name));
            }
            Ok(Kept::Changed(lines)) => {
                changed += 1;
                text.push_str(&format!("changed    {}\n", doctype.name));
                text.extend(lines.into_iter().map(|line| format!("             {line}\n")));
            }
            Ok(Kept::LeftAlone) => left_alone += 1,
            // What was checked can still be refused when documents were written since.
            Err(what) if keep_going => refused.push(crate::doctype::InvalidDefinition { file: doctype.name.clone(), what }),
            Err(what) => {
                super::print(&text);
                return Err(format!("stopped at {}: {what}; what stands above is done, and a second run goes on from here", doctype.name));
            }
        }
    }
    text.push_str(&refusals(&refused));
    text.extend(warnings.iter().map(|warning| format!("warning    {warning}\n")));
    text.push_str(&format!("{added} added, {changed} changed, {left_alone} left alone, {} refused", refused.len()));
    if found.ignored > 0 {
        text.push_str(&format!("; {} passed over, with no definition in it", counted(found.ignored, "other file")));
    }
    text.push('\n');
    if refused.is_empty() {
        return Ok(text);
    }
    super::print(&text);
    Err(format!(
        "{} cannot be used and {} left out: mend what is named above and import again",
        counted(refused.len(), "definition"),
        if refused.len() == 1 { "is" } else { "are" }
    ))
}

/// A number of things, which are called by a word that takes an s.
fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn keep(workshop: &Workshop, doctype: &Arc<DocType>) -> Result<Kept, String> {
    let doctype = Arc::clone(doctype);
    workshop.write("import doctype", move |cx| doctypes::keep(cx, &doctype, ADMINISTRATOR)).map_err(super::refusal)
}

fn list(workshop: &Workshop) -> String {
    let kind = |doctype: &DocType| match () {
        () if doctype.is_child_table => "child table",
        () if doctype.is_single => "single",
        () if doctype.tree_parent.is_some() => "tree",
        () if doctype.is_submittable => "submittable",
        () => "",
    };
    let from = |doctype: &DocType| match (doctype.origin, doctype.rows) {
        (Origin::Site, _) => "site",
        (Origin::Builtin, Rows::OwnTable) => "Ostiary",
        (Origin::Builtin, Rows::Typed) => "Ostiary, built in",
    };
    let registry = workshop.env.doctypes();
    let rows: Vec<[String; 5]> = registry
        .iter()
        .map(|doctype| {
            let (name, module) = (doctype.name.clone(), doctype.module.clone());
            [name, module, from(doctype).to_owned(), kind(doctype).to_owned(), doctype.fields.len().to_string()]
        })
        .collect();
    table(["doctype", "module", "from", "kind", "fields"], &rows, "No doctypes.")
}
