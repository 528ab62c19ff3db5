//! HTML pages: each a struct of plain data and a template of the same name, nothing else.
//!
//! | page | struct | template | posts |
//! | --- | --- | --- | --- |
//! | log in | [`LoginView`] | `account/login.html` | `usr`, `pwd`, `redirect_to` to [`paths::LOGIN`] |
//! | log out? | [`LogoutView`] | `account/logout.html` | `csrf_token`, `redirect_to` to [`paths::LOGOUT`]; for an app `csrf_token`, `decision` and its parameters to [`paths::END_SESSION`] |
//! | who am I | [`HomeView`] | `account/home.html` | the same |
//! | which apps may? | [`AppsView`] | `account/apps.html` | `client_id`, `csrf_token` to [`paths::APPS`] |
//! | may this app? | [`ConsentView`] | `oauth/consent.html` | `request`, `decision` (`allow`, `deny`), `csrf_token` to [`paths::APPROVE`] |
//! | answer by form | [`FormPostView`] | `oauth/form_post.html` | the answer's fields to the redirect URI |
//! | it went wrong | [`ErrorView`] | `error.html` | |
//! | something to say | [`MessageView`] | `message.html` | |
//!
//! A view knows neither requests nor the store: a door fills it in and sends what `render` gives,
//! under the headers of [`policy`]. Whatever somebody else chose (the name of an app, of a user)
//! is shown through the filter `shown` of `display`, and linked only as a [`WebLink`].
//!
//! To add a page: a struct here, a template that extends `layout.html`, a line above, a row in
//! `hostile_values_stay_inside_their_elements`.

mod apps;
pub mod assets;
mod consent;
mod display;
mod error;
mod form_post;
mod home;
mod login;
mod logout;
mod message;
pub mod policy;
mod routes;
mod scope_lines;
#[cfg(test)]
mod tests;

pub use apps::{AccessLine, AppLine, AppsView};
pub use consent::{ConsentView, Destination, Place};
pub use display::WebLink;
pub(crate) use display::filters;
pub use error::ErrorView;
pub use form_post::FormPostView;
pub use home::HomeView;
pub use login::LoginView;
pub use logout::LogoutView;
pub use message::{MessageLink, MessageView, Onward};
pub use routes::{csrf_token, error_page, handle, local_path, page, private_file_page, scope_lines_of};
pub use scope_lines::{ScopeLine, Weight, scope_lines, scope_lines_elsewhere};

/// Where the forms of these pages post to.
pub mod paths {
    pub const LOGIN: &str = "/login";
    pub const LOGOUT: &str = "/logout";
    pub const HOME: &str = "/";
    /// The apps that a user let in.
    pub const APPS: &str = "/me/apps";
    /// Frappe's name for the answer to the consent page.
    pub const APPROVE: &str = "/api/method/frappe.integrations.oauth2.approve";
    /// Where apps send a user to log out.
    pub const END_SESSION: &str = "/api/method/frappe.integrations.oauth2.end_session";
}
