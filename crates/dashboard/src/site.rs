//! What the pages work with.

use std::sync::Arc;

use axum::extract::FromRef;
use serve::App;

use crate::uploads::Uploads;

/// What the pages work with; a copy is as cheap as a pointer's.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) app: App,
    pub(crate) uploads: Arc<Uploads>,
}

impl Site {
    pub(crate) fn of(app: App) -> Self {
        Self {
            app,
            uploads: Arc::new(Uploads::default()),
        }
    }
}

impl FromRef<Site> for App {
    fn from_ref(site: &Site) -> App {
        site.app.clone()
    }
}
