//! How long a copy may be used without asking again (RFC 9111), within bounds of our own.

use std::time::{Duration, SystemTime};

use http_cache_semantics::{CacheOptions, CachePolicy, ResponseLike};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;

/// Not shorter, so that nobody has us ask a host at every request.
const SHORTEST: Duration = Duration::from_secs(60);
/// Not longer, so that a change is seen the next day.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// An answer's headers. What a 304 says of freshness holds as if it were said with the document.
struct Answer<'a>(&'a HeaderMap);

impl ResponseLike for Answer<'_> {
    fn status(&self) -> StatusCode {
        StatusCode::OK
    }

    fn headers(&self) -> &HeaderMap {
        self.0
    }
}

/// How long what `request` brought at `now` stays fresh.
pub(super) fn lifetime(request: &reqwest::Request, headers: &HeaderMap, now: SystemTime) -> Duration {
    let options = CacheOptions { shared: false, ..CacheOptions::default() };
    let policy = CachePolicy::new_options(request, &Answer(headers), now, options);
    let lifetime = if policy.is_storable() { policy.time_to_live(now) } else { Duration::ZERO };
    lifetime.clamp(SHORTEST, LONGEST)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn seconds(headers: &[(&str, &str)]) -> u64 {
        let request = reqwest::Client::new().get("https://app.example/client.json").build().expect("a request");
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_bytes(name.as_bytes()).expect("a name"), HeaderValue::from_str(value).expect("a value"));
        }
        lifetime(&request, &map, SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)).as_secs()
    }

    #[test]
    fn the_other_side_says_how_long_within_bounds() {
        for (headers, expected) in [
            (&[][..], 60),
            (&[("cache-control", "max-age=600")], 600),
            (&[("cache-control", "private, max-age=\"600\"")], 600),
            (&[("cache-control", "max-age=600"), ("age", "200")], 400),
            (&[("cache-control", "max-age=600"), ("age", "900")], 60),
            (&[("cache-control", "max-age=5")], 60),
            (&[("cache-control", "max-age=31536000, immutable")], 86_400),
            (&[("cache-control", "max-age=600, no-store")], 60),
            (&[("cache-control", "max-age=600, no-cache")], 60),
            // Of no concern to a cache that serves this server alone.
            (&[("cache-control", "max-age=600, s-maxage=5")], 600),
            (&[("date", "Fri, 15 Jan 2027 08:00:00 GMT"), ("expires", "Fri, 15 Jan 2027 09:00:00 GMT")], 3600),
            (&[("expires", "Fri, 15 Jan 2027 09:00:00 GMT"), ("cache-control", "max-age=120")], 120),
            (&[("expires", "0")], 60),
        ] {
            assert_eq!(seconds(headers), expected, "{headers:?}");
        }
    }

    proptest! {
        #[test]
        fn no_header_breaks_the_bounds(cache_control in "[ -~]{0,60}", expires in "[ -~]{0,40}", age in "[ -~]{0,12}", date in "[ -~]{0,40}") {
            let headers = [("cache-control", &*cache_control), ("expires", &*expires), ("age", &*age), ("date", &*date)];
            prop_assert!((60..=86_400).contains(&seconds(&headers)));
        }
    }
}
