//! Laying the sources over each other, and refusing what makes no sense.

use std::net::SocketAddr;
use std::path::PathBuf;

use secrecy::SecretString;

use super::{Config, LogFormat, PublicUrl};

/// What the command line set; everything `None` leaves the layer below alone.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--config`: an explicit settings file, which must exist.
    pub config_file: Option<PathBuf>,
    pub listen: Option<SocketAddr>,
    pub database_url: Option<String>,
    pub public_url: Option<String>,
    pub tls_cert: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    pub metrics_listen: Option<SocketAddr>,
    pub trusted_proxies: Vec<ipnet::IpNet>,
    pub insecure_http: bool,
}

/// A setting that cannot be used, in one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

/// The file that is read when `--config` names none.
const DEFAULT_FILE: &str = "ostiary.toml";

/// In how many seconds a limit may count: they are kept in memory, and forgotten at a restart anyway.
const LONGEST_PERIOD: u64 = 31 * 86_400;

impl Config {
    /// Reads defaults, file, environment and flags, in that order.
    ///
    /// # Errors
    /// [`ConfigError`] for an unreadable file, an unknown or malformed setting.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn load(overrides: &Overrides) -> Result<Self, ConfigError> {
        let file = match &overrides.config_file {
            Some(path) => {
                Some(std::fs::read_to_string(path).map_err(|error| ConfigError(format!("cannot read {}: {error}", path.display())))?)
            }
            None => std::fs::read_to_string(DEFAULT_FILE).ok(),
        };
        Self::layer(file.as_deref(), std::env::vars(), overrides)
    }

    fn layer(file: Option<&str>, environment: impl Iterator<Item = (String, String)>, overrides: &Overrides) -> Result<Self, ConfigError> {
        let mut config: Config = match file {
            Some(text) => toml::from_str(text).map_err(|error| ConfigError(format!("settings file: {}", error.message())))?,
            None => Config::default(),
        };
        for (name, value) in environment.filter(|(name, _)| name.starts_with("OSTIARY_")) {
            config.set_from_environment(&name, &value)?;
        }
        config.set_from_flags(overrides);
        config.check()?;
        Ok(config)
    }

    fn set_from_environment(&mut self, name: &str, value: &str) -> Result<(), ConfigError> {
        fn parse<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, ConfigError>
        where
            T::Err: std::fmt::Display,
        {
            value.trim().parse().map_err(|error| ConfigError(format!("{name}={value}: {error}")))
        }
        match name {
            "OSTIARY_LISTEN" => self.server.listen = parse(name, value)?,
            "OSTIARY_DATABASE_URL" => self.database.url = value.to_owned(),
            "OSTIARY_PUBLIC_URL" => self.server.public_url = Some(value.to_owned()),
            "OSTIARY_ADMIN_PASSWORD" => self.security.admin_password = Some(SecretString::from(value)),
            "OSTIARY_SEAL_KEY" => self.security.seal_key = Some(SecretString::from(value)),
            "OSTIARY_TLS_CERT" => self.server.tls_cert = Some(value.into()),
            "OSTIARY_TLS_KEY" => self.server.tls_key = Some(value.into()),
            "OSTIARY_LIMIT_SCALE" => self.limits.scale = parse(name, value)?,
            "OSTIARY_METRICS_LISTEN" => self.server.metrics_listen = Some(parse(name, value)?),
            "OSTIARY_TRUSTED_PROXIES" => {
                let networks = value.split(',').map(str::trim).filter(|text| !text.is_empty());
                self.server.trusted_proxies = networks
                    .map(|text| parse_network(text).map_err(|error| ConfigError(format!("{name}: {error}"))))
                    .collect::<Result<_, _>>()?;
            }
            "OSTIARY_FILES_DIRECTORY" => self.files.directory = Some(value.into()),
            "OSTIARY_LOG" => self.log.filter = Some(value.to_owned()),
            "OSTIARY_LOG_FORMAT" => {
                self.log.format = match value {
                    "auto" => LogFormat::Auto,
                    "pretty" => LogFormat::Pretty,
                    "json" => LogFormat::Json,
                    _ => return Err(ConfigError(format!("{name}={value}: must be auto, pretty or json"))),
                }
            }
            "OSTIARY_LOG_FILE" => self.log.file = Some(value.into()),
            "OSTIARY_TIME_ZONE" => self.site.time_zone = parse(name, value)?,
            "OSTIARY_INSECURE_HTTP" => self.server.insecure_http = matches!(value, "1" | "true"),
            "OSTIARY_CONFIG" => {}
            // Variables of the test suite, which the server it starts inherits.
            name if name.starts_with("OSTIARY_TEST_") => {}
            _ => return Err(ConfigError(format!("unknown setting {name} in the environment"))),
        }
        Ok(())
    }

    fn set_from_flags(&mut self, overrides: &Overrides) {
        let Overrides {
            config_file: _,
            listen,
            database_url,
            public_url,
            tls_cert,
            tls_key,
            metrics_listen,
            trusted_proxies,
            insecure_http,
        } = overrides.clone();
        if let Some(listen) = listen {
            self.server.listen = listen;
        }
        if let Some(url) = database_url {
            self.database.url = url;
        }
        self.server.public_url = public_url.or(self.server.public_url.take());
        self.server.tls_cert = tls_cert.or(self.server.tls_cert.take());
        self.server.tls_key = tls_key.or(self.server.tls_key.take());
        self.server.metrics_listen = metrics_listen.or(self.server.metrics_listen);
        if !trusted_proxies.is_empty() {
            self.server.trusted_proxies = trusted_proxies;
        }
        self.server.insecure_http |= insecure_http;
    }

    fn check(&self) -> Result<(), ConfigError> {
        if self.server.public_url.is_none() && !self.server.listen.ip().is_loopback() {
            return Err(ConfigError(format!(
                "listening on {} needs a public URL: set --public-url or OSTIARY_PUBLIC_URL to the URL that clients use",
                self.server.listen
            )));
        }
        if let Some(url) = &self.server.public_url {
            PublicUrl::parse(url, self.server.insecure_http).map_err(ConfigError)?;
        }
        if self.server.tls_cert.is_some() != self.server.tls_key.is_some() {
            return Err(ConfigError("--tls-cert and --tls-key go together".into()));
        }
        if !(self.limits.scale.is_finite() && self.limits.scale > 0.0) {
            return Err(ConfigError("OSTIARY_LIMIT_SCALE must be greater than 0".into()));
        }
        if self.oauth.code_lifetime == 0 || self.oauth.code_lifetime > 600 {
            return Err(ConfigError("oauth.code_lifetime must be 1 to 600 seconds".into()));
        }
        if let Some(unknown) =
            self.limits.quotas.keys().find(|name| !crate::domain::limit::Limit::ALL.iter().any(|limit| limit.name() == name.as_str()))
        {
            return Err(ConfigError(format!("unknown limit {unknown:?} in limits.quotas")));
        }
        for (name, quota) in &self.limits.quotas {
            if !(1..=LONGEST_PERIOD).contains(&quota.seconds) {
                return Err(ConfigError(format!("limits.quotas.{name}.seconds must be 1 to {LONGEST_PERIOD} (31 days)")));
            }
            if quota.count == 0 {
                return Err(ConfigError(format!("limits.quotas.{name}.count must be at least 1")));
            }
        }
        Ok(())
    }

    /// The public URL, once the port is known (`listen` may ask for port 0).
    ///
    /// # Errors
    /// [`ConfigError`] when it is not usable.
    pub fn public_url(&self, listening_on: SocketAddr) -> Result<PublicUrl, ConfigError> {
        let scheme = if self.server.tls_cert.is_some() { "https" } else { "http" };
        let text = self.server.public_url.clone().unwrap_or_else(|| format!("{scheme}://{listening_on}"));
        PublicUrl::parse(&text, self.server.insecure_http).map_err(ConfigError)
    }
}

/// Reads an address or a network: `10.0.0.1`, `10.0.0.0/8`, `::1`.
///
/// # Errors
/// A line that names the text.
pub fn parse_network(text: &str) -> Result<ipnet::IpNet, String> {
    text.parse::<ipnet::IpNet>()
        .or_else(|_| text.parse::<std::net::IpAddr>().map(ipnet::IpNet::from))
        .map_err(|_| format!("{text:?} is neither an address nor a network (CIDR)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(file: Option<&str>, environment: &[(&str, &str)], overrides: &Overrides) -> Result<Config, ConfigError> {
        Config::layer(file, environment.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())), overrides)
    }

    #[test]
    fn flags_win_over_environment_and_environment_over_file() {
        let file = Some("[server]\nlisten = \"127.0.0.1:1\"\n[database]\nurl = \"sqlite://file.db\"\n");
        let flags = Overrides { listen: Some("127.0.0.1:3".parse().expect("address")), ..Overrides::default() };
        let config = layer(file, &[("OSTIARY_LISTEN", "127.0.0.1:2"), ("OSTIARY_DATABASE_URL", "sqlite://env.db")], &flags).expect("valid");
        assert_eq!(config.server.listen.port(), 3);
        assert_eq!(config.database.url, "sqlite://env.db");
    }

    #[test]
    fn unknown_settings_and_listening_abroad_without_a_public_url_are_refused() {
        assert!(layer(Some("[server]\nlistn = 1\n"), &[], &Overrides::default()).is_err());
        assert!(layer(None, &[("OSTIARY_LISTN", "x")], &Overrides::default()).is_err());
        assert!(layer(None, &[("OSTIARY_LISTEN", "0.0.0.0:80")], &Overrides::default()).is_err());
        assert!(
            layer(None, &[("OSTIARY_LISTEN", "0.0.0.0:80"), ("OSTIARY_PUBLIC_URL", "https://a.example")], &Overrides::default()).is_ok()
        );
    }

    #[test]
    fn limits_that_cannot_be_counted_are_refused_in_one_line() {
        let quota = |count: &str, seconds: &str| {
            let file = format!("[limits.quotas.get_token]\ncount = {count}\nseconds = {seconds}\n");
            layer(Some(&file), &[], &Overrides::default())
        };
        for (count, seconds) in [("1", "1"), ("600", "60"), ("1", "2678400"), ("4294967295", "1"), ("4294967295", "2678400")] {
            quota(count, seconds).expect("valid");
        }
        for (count, seconds, named) in [
            ("1", "0", "limits.quotas.get_token.seconds"),
            ("1", "2678401", "limits.quotas.get_token.seconds"),
            ("1", "9223372036854775807", "limits.quotas.get_token.seconds"),
            ("1", "18446744073709551615", "seconds"),
            ("1", "-1", "seconds"),
            ("0", "60", "limits.quotas.get_token.count"),
        ] {
            let error = quota(count, seconds).expect_err("refused").to_string();
            assert!(!error.contains('\n'), "{error}");
            assert!(error.contains(named) || error.starts_with("settings file: "), "{error}");
        }
    }

    #[test]
    fn printing_settings_shows_no_secret() {
        let config = layer(None, &[("OSTIARY_ADMIN_PASSWORD", "hunter2-hunter2"), ("OSTIARY_SEAL_KEY", "c2VjcmV0")], &Overrides::default())
            .expect("valid");
        let printed = format!("{config:?}");
        assert!(!printed.contains("hunter2") && !printed.contains("c2VjcmV0"), "{printed}");
    }
}
