//! Handlers of API methods, one file per Python module whose names they carry.

pub mod auth;
pub mod change_log;
pub mod client;
pub mod desk_form;
pub mod desk_query_report;
pub mod desk_reportview;
pub mod desk_search;
pub mod global_search;
pub mod helpdesk_auth;
pub mod helpdesk_knowledge_base;
pub mod oauth2;
pub mod oauth_client;
pub mod sessions;
pub mod share;
pub mod upload_file;
pub mod user;
