//! One binary for every black-box test: over HTTP against [`support::TestApp`], or against the
//! program itself. Files mirror the URL tree; names are sentences.

mod architecture;
mod auth;
mod bad_input;
mod browser;
mod cli;
mod clients;
mod concurrency;
mod demo;
mod doctypes;
mod documents;
mod faults;
mod fetch;
mod files;
mod frappe;
mod fuzz;
mod helpdesk;
mod oauth;
mod pages;
mod parity;
mod processes;
mod readme;
mod report;
mod resource;
mod search;
mod support;
mod v2;
