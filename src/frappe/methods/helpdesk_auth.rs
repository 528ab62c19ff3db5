//! `helpdesk.api.auth.*` (contract 8.4).

use serde_json::json;

use crate::frappe::call::{Answer, Call, Reply};
use crate::resource::helpdesk;

/// Who the caller is in the helpdesk: the keys of the public document and those that Helpdesk has added since.
///
/// Frappe: also `persona_captured`, here: not, because nothing here asks users what they are.
pub fn get_user(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let caller = call.identity.caller.clone();
        let profile = call.state.query(move |cx| helpdesk::profile(cx, &caller)).await?;
        let (caller, site) = (&call.identity.caller, &call.state.env.config.site);
        let user = &caller.user.user;
        let is_admin = caller.is_system_manager();
        Ok(Reply::message(json!({
            "user_id": user.name,
            "user_name": user.full_name,
            "user_first_name": user.first_name,
            "username": user.username,
            "user_image": user.user_image,
            "is_agent": profile.is_agent,
            "is_admin": is_admin,
            "is_manager": profile.is_manager,
            "has_desk_access": profile.is_agent || is_admin,
            "user_teams": profile.teams,
            "time_zone": user.time_zone.as_deref().unwrap_or(site.time_zone.name()),
            "language": user.language.as_deref().unwrap_or(&site.language),
            "has_agent_record": profile.has_agent_record,
            "availability": profile.availability,
            "availability_changed_on": profile.availability_changed_on,
        })))
    })
}
