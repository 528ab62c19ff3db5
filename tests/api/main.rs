//! One binary for every black-box test: over HTTP against [`support::TestApp`], or against the
//! program itself. Files mirror the URL tree; names are sentences.

mod architecture;
mod bad_input;
mod concurrency;
mod faults;
mod parity;
mod support;
