//! `[fetch]`: where the server itself may go over HTTPS for what clients publish.

use std::path::PathBuf;

use ipnet::IpNet;
use serde::Deserialize;

/// The `[fetch]` section. By default only public addresses are reached, and only where the system's root
/// certificates vouch for the host.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FetchConfig {
    /// Networks that may be reached although they are private, for clients that live inside. Default none.
    pub allow_networks: Vec<IpNet>,
    /// Further root certificates (PEM), for hosts with a certificate of one's own authority. Default none.
    pub ca_file: Option<PathBuf>,
}
