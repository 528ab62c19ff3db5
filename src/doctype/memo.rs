//! A place beside a definition for what another room works out of it once, such as the text of a statement.

use std::any::Any;
use std::fmt;
use std::sync::OnceLock;

/// Empty until somebody puts something there. It belongs to one definition: a copy begins empty, and two
/// definitions are equal whatever was worked out of them.
#[derive(Default)]
pub struct Memo(OnceLock<Box<dyn Any + Send + Sync>>);

impl Memo {
    /// What is there; made first if nothing is. `None` where another type was put there, which one room alone prevents.
    pub fn get_or_init<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Option<&T> {
        self.0.get_or_init(|| Box::new(make())).downcast_ref()
    }
}

impl Clone for Memo {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Memo {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Memo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Memo")
    }
}
