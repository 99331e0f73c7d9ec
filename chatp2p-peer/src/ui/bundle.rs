//! The files of the page as they were built, each with what is said about it whenever it is sent.

use std::borrow::Cow;
use std::collections::BTreeMap;

use poem::Body;
use poem::http::HeaderValue;
use rust_embed::Embed;

/// Where the build puts files whose names hold a hash of what is in them.
pub(super) const ASSETS: &str = "assets/";

/// The document that all of the page's own addresses show.
const INDEX: &str = "index.html";

/// As the name changes with the content, nobody has to ask again.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// May be kept, but is asked about each time: a new program has a new page.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

#[derive(Embed)]
#[folder = "webui"]
struct Webui;

/// A file.
pub(super) struct File {
    data: Cow<'static, [u8]>,
    /// The SHA-256 of the content, in quotes.
    pub(super) tag: String,
    pub(super) content_type: &'static str,
    pub(super) cache: HeaderValue,
}

impl File {
    fn new(path: &str, data: Cow<'static, [u8]>, hash: [u8; 32]) -> Self {
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let cache = if path.starts_with(ASSETS) { FOR_EVER } else { ASK_AGAIN };
        Self { data, tag: format!("\"{hash}\""), content_type: content_type(path), cache }
    }

    pub(super) fn len(&self) -> usize {
        self.data.len()
    }

    /// What is in it. What is part of the program is not copied.
    pub(super) fn body(&self) -> Body {
        match &self.data {
            Cow::Borrowed(data) => Body::from(*data),
            Cow::Owned(data) => Body::from(data.clone()),
        }
    }
}

/// All files, by their paths below the page's.
pub(super) struct Bundle(BTreeMap<Cow<'static, str>, File>);

impl Bundle {
    /// The one that this program carries.
    pub(super) fn embedded() -> Self {
        let file = |path: Cow<'static, str>| {
            let file = Webui::get(&path)?;
            let file = File::new(&path, file.data, file.metadata.sha256_hash());
            Some((path, file))
        };
        Self(Webui::iter().filter_map(file).collect())
    }

    /// The file with this path, which is compared as it came: the names of the build need no escaping.
    pub(super) fn file(&self, path: &str) -> Option<&File> {
        self.0.get(if path.is_empty() { INDEX } else { path })
    }

    /// The document.
    pub(super) fn index(&self) -> Option<&File> {
        self.0.get(INDEX)
    }
}

/// Browsers run a module and take a style sheet under its right type alone, as answers are not to be sniffed.
fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_file_that_a_page_is_made_of_has_its_type() {
        for (path, expected) in [
            ("index.html", "text/html; charset=utf-8"),
            ("assets/index-BfPq.1x.js", "text/javascript; charset=utf-8"),
            ("sw.js", "text/javascript; charset=utf-8"),
            ("assets/index-1.css", "text/css; charset=utf-8"),
            ("build.json", "application/json"),
            ("manifest.webmanifest", "application/manifest+json"),
            ("icon.svg", "image/svg+xml"),
            ("icon.png", "image/png"),
            ("favicon.ico", "image/x-icon"),
            ("assets/letters.woff2", "font/woff2"),
            ("licences.txt", "text/plain; charset=utf-8"),
            ("html", "application/octet-stream"),
            ("page.html.bak", "application/octet-stream"),
        ] {
            assert_eq!(content_type(path), expected, "{path}");
        }
    }

    #[test]
    fn no_path_finds_anything_but_a_file_of_the_build() {
        let bundle = Bundle::embedded();
        let names: Vec<&str> = bundle.0.keys().map(|name| &**name).collect();
        let odd = ["", ".", "..", "..\\", "%2e%2e", "%00", "\0", "/etc/passwd", "INDEX.HTML", "assets", "index.html "];
        let parts: Vec<&str> = odd.iter().chain(&names).copied().collect();
        for (one, other) in parts.iter().flat_map(|one| parts.iter().map(move |other| (one, other))) {
            for path in ["", "/", "//", "%2f", "\\", "?"].map(|between| format!("{one}{between}{other}")) {
                let is_one = path.is_empty() || names.contains(&path.as_str());
                assert_eq!(bundle.file(&path).is_some(), is_one, "{path:?}");
            }
        }
    }

    #[test]
    fn what_is_part_of_the_program_is_not_copied_to_be_sent() {
        assert!(Bundle::embedded().0.values().all(|file| matches!(file.data, Cow::Borrowed(_))));
    }
}
