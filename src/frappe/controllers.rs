//! What Frappe's own code for a doctype (its controller) has to do with the words of a refusal.
//!
//! Knows nothing of who is refused what: that is settled by then. A doctype without a row is refused by its roles, in
//! Frappe too. Add a row where a recorded answer of Frappe shows that another doctype's code speaks.

use crate::domain::user::{ADMINISTRATOR, GUEST};

/// How the code of a doctype takes part.
struct Controller {
    doctype: &'static str,
    refuses: Refuses,
    /// In Frappe no role opens a document of it to its owner: a share does, made with the document.
    is_shared_with_its_owner: bool,
}

/// Which of the documents that are refused it has refused itself, before roles were asked.
enum Refuses {
    All,
    Only(&'static [&'static str]),
}

const CONTROLLERS: &[Controller] = &[
    // Every ToDo of somebody else (transcripts 234 and 236).
    Controller { doctype: "ToDo", refuses: Refuses::All, is_shared_with_its_owner: false },
    // The two that come with every site (transcript 274).
    Controller { doctype: "User", refuses: Refuses::Only(&[ADMINISTRATOR, GUEST]), is_shared_with_its_owner: true },
];

/// Whether Frappe's code for the doctype has refused this document, which somebody was refused.
pub(super) fn refuses(doctype: &str, name: &str) -> bool {
    find(doctype).is_some_and(|controller| match controller.refuses {
        Refuses::All => true,
        Refuses::Only(names) => names.contains(&name),
    })
}

/// Whether in Frappe no role opens a document of the doctype to its owner.
pub(super) fn is_shared_with_its_owner(doctype: &str) -> bool {
    find(doctype).is_some_and(|controller| controller.is_shared_with_its_owner)
}

fn find(doctype: &str) -> Option<&'static Controller> {
    CONTROLLERS.iter().find(|controller| controller.doctype == doctype)
}
