//! Aggregate of the store.
