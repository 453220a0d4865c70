//! What every page of the dashboard has around it.

use serve::auth::Scope;

use crate::{
    assets::{Paths, paths},
    note::Note,
    visitor::{Theme, Visitor},
};

/// Where in the dashboard a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Overview,
    Onboardings,
    Batches,
    Accounts,
    Deliveries,
    Recipes,
    Upload,
}

impl Section {
    const ALL: [Self; 7] = [
        Self::Overview,
        Self::Onboardings,
        Self::Batches,
        Self::Accounts,
        Self::Deliveries,
        Self::Recipes,
        Self::Upload,
    ];

    fn link(self) -> (&'static str, &'static str) {
        match self {
            Self::Overview => ("/", "Overview"),
            Self::Onboardings => ("/onboardings", "Onboardings"),
            Self::Batches => ("/batches", "Batches"),
            Self::Accounts => ("/accounts", "Accounts"),
            Self::Deliveries => ("/deliveries", "Deliveries"),
            Self::Recipes => ("/recipes", "Recipes"),
            Self::Upload => ("/upload", "Upload"),
        }
    }
}

/// A link of the navigation.
#[derive(Debug)]
pub(crate) struct NavLink {
    pub(crate) href: &'static str,
    pub(crate) name: &'static str,
    pub(crate) here: bool,
}

/// What every page of the dashboard has around it.
#[derive(Debug)]
pub(crate) struct Shell {
    pub(crate) title: String,
    pub(crate) section: Section,
    pub(crate) assets: &'static Paths,
    pub(crate) theme: Option<Theme>,
    pub(crate) token: String,
    pub(crate) writes: bool,
    pub(crate) csrf: String,
    pub(crate) note: Option<Note>,
    /// Whether news come in.
    pub(crate) live: bool,
}

impl Shell {
    /// Around a page with this title.
    pub(crate) fn of(visitor: &Visitor, section: Section, title: impl Into<String>) -> Self {
        let caller = visitor.session.caller();
        Self {
            title: title.into(),
            section,
            assets: paths(),
            theme: visitor.theme,
            token: caller.token().to_owned(),
            writes: caller.may(Scope::Write).is_ok(),
            csrf: visitor.session.csrf().to_owned(),
            note: visitor.note,
            live: true,
        }
    }

    /// A page that stays as it is.
    pub(crate) fn still(mut self) -> Self {
        self.live = false;
        self
    }

    /// The navigation.
    pub(crate) fn links(&self) -> Vec<NavLink> {
        let link = |section: Section| {
            let (href, name) = section.link();
            let here = section == self.section;
            NavLink { href, name, here }
        };
        Section::ALL.into_iter().map(link).collect()
    }
}
