//! The static files, part of the binary. To add one: put it into `static/` and into `ASSETS`.

/// A file served below `/static/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asset {
    pub name: &'static str,
    pub content_type: &'static str,
    pub body: &'static [u8],
}

const ASSETS: [Asset; 3] = [
    Asset { name: "ostiary.css", content_type: "text/css; charset=utf-8", body: include_bytes!("../../static/ostiary.css") },
    Asset { name: "logo.svg", content_type: "image/svg+xml", body: include_bytes!("../../static/logo.svg") },
    Asset { name: "form_post.js", content_type: "text/javascript; charset=utf-8", body: include_bytes!("../../static/form_post.js") },
];

impl Asset {
    /// Changes whenever the content does (FNV-1a): in the URL, so that browsers may keep the file
    /// for good, and usable as an ETag.
    pub fn version(&self) -> String {
        let hash = self.body.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        format!("{hash:016x}")
    }
}

/// Finds a file by its name below `/static/`.
pub fn find(name: &str) -> Option<Asset> {
    ASSETS.into_iter().find(|asset| asset.name == name)
}

/// The address of a file, with its version.
pub(crate) fn url(name: &str) -> String {
    let version = find(name).map(|asset| asset.version()).unwrap_or_default();
    format!("/static/{name}?v={version}")
}
