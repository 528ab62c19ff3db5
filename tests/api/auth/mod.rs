//! Who is calling.

mod api_key;
mod basic;
mod csrf;
mod lockout;
mod login;
mod session;
