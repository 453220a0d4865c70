//! Style, scripts and the icon: compiled in, named by their content, kept by browsers for a year.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};

struct Asset {
    name: &'static str,
    media_type: &'static str,
    text: &'static str,
}

const CSS: Asset = Asset {
    name: "app.css",
    media_type: "text/css; charset=utf-8",
    text: include_str!("../assets/app.css"),
};
const PAGE: Asset = Asset {
    name: "page.js",
    media_type: "text/javascript; charset=utf-8",
    text: include_str!("../assets/page.js"),
};
const LIVE: Asset = Asset {
    name: "live.js",
    media_type: "text/javascript; charset=utf-8",
    text: include_str!("../assets/live.js"),
};
const ICON: Asset = Asset {
    name: "icon.svg",
    media_type: "image/svg+xml",
    text: include_str!("../assets/icon.svg"),
};

impl Asset {
    fn path(&self) -> String {
        format!("/assets/{:016x}-{}", digest(self.text), self.name)
    }
}

/// FNV-1a: tells versions apart, and needs to do no more.
const fn digest(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut digest = 0xcbf2_9ce4_8422_2325_u64;
    let mut at = 0;
    while at < bytes.len() {
        digest ^= bytes[at] as u64;
        digest = digest.wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    digest
}

/// Where the assets are.
#[derive(Debug)]
pub(crate) struct Paths {
    pub(crate) css: String,
    pub(crate) page: String,
    pub(crate) live: String,
    pub(crate) icon: String,
}

/// Where the assets are.
pub(crate) fn paths() -> &'static Paths {
    static PATHS: LazyLock<Paths> = LazyLock::new(|| Paths {
        css: CSS.path(),
        page: PAGE.path(),
        live: LIVE.path(),
        icon: ICON.path(),
    });
    &PATHS
}

/// Serves one. Another version's name is not there: its page will be loaded anew anyway.
pub(crate) async fn serve(Path(name): Path<String>) -> Response {
    let wanted = format!("/assets/{name}");
    let found = [CSS, PAGE, LIVE, ICON]
        .into_iter()
        .find(|asset| asset.path() == wanted);
    let Some(asset) = found else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(asset.media_type)),
        (
            CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=31536000, immutable"),
        ),
    ];
    (headers, asset.text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_asset_has_another_name() {
        assert_ne!(digest("a"), digest("b"));
        assert_eq!(digest(""), 0xcbf2_9ce4_8422_2325);
        assert!(paths().css.starts_with("/assets/") && paths().css.ends_with("-app.css"));
    }

    #[test]
    fn the_script_that_brings_news_stays_small() {
        assert!(LIVE.text.len() < 10_000, "{}", LIVE.text.len());
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        for asset in [CSS, PAGE, LIVE] {
            for line in asset.text.lines() {
                let own = line.replace("http://www.w3.org/2000/svg", "");
                assert!(!own.contains("http:") && !own.contains("https:"), "{line}");
                assert!(!own.contains("@import"), "{line}");
            }
        }
    }
}
