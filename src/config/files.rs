//! `[files]`: where uploads are kept and which ones are taken.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The name of the directory when none is set.
const DIRECTORY: &str = "ostiary-files";

/// The `[files]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilesConfig {
    /// Where uploaded files are kept; processes on one database share it. `OSTIARY_FILES_DIRECTORY`, default
    /// `ostiary-files` beside a SQLite database, else in the current directory.
    pub directory: Option<PathBuf>,
    /// Largest file in bytes. Default 25 MiB, as in Frappe.
    pub max_size: u64,
    /// Endings of the files that may be uploaded, without dots; empty: any. Default empty.
    pub extensions: Vec<String>,
}

impl Default for FilesConfig {
    fn default() -> Self {
        Self { directory: None, max_size: 25 * 1024 * 1024, extensions: Vec::new() }
    }
}

impl FilesConfig {
    /// The directory, given the URL of the database.
    pub fn directory(&self, database_url: &str) -> PathBuf {
        let beside = |path: &str| Path::new(path).with_file_name(DIRECTORY);
        let database = database_url.strip_prefix("sqlite://").or_else(|| database_url.strip_prefix("sqlite:"));
        self.directory.clone().or_else(|| database.map(beside)).unwrap_or_else(|| DIRECTORY.into())
    }

    /// Whether a file with this ending (lower case) may be uploaded.
    pub fn takes(&self, extension: Option<&str>) -> bool {
        self.extensions.is_empty()
            || extension
                .is_some_and(|extension| self.extensions.iter().any(|known| known.trim_start_matches('.').eq_ignore_ascii_case(extension)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_kept_beside_a_sqlite_database_unless_told_otherwise() {
        let mut config = FilesConfig::default();
        assert_eq!(config.directory("sqlite:///var/lib/x/ostiary.db"), Path::new("/var/lib/x/ostiary-files"));
        assert_eq!(config.directory("sqlite://ostiary.db"), Path::new("ostiary-files"));
        assert_eq!(config.directory("postgres://db.internal/ostiary"), Path::new("ostiary-files"));
        config.directory = Some("/srv/files".into());
        assert_eq!(config.directory("sqlite://ostiary.db"), Path::new("/srv/files"));
    }

    #[test]
    fn a_list_of_endings_lets_only_those_in() {
        let mut config = FilesConfig::default();
        assert!(config.takes(None) && config.takes(Some("html")));
        config.extensions = vec!["pdf".into(), ".PNG".into()];
        assert!(config.takes(Some("pdf")) && config.takes(Some("png")));
        assert!(!config.takes(Some("html")) && !config.takes(None));
    }
}
