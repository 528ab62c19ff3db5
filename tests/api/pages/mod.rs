//! Pages that are no part of an OAuth flow, as a browser gets them.

mod apps;
