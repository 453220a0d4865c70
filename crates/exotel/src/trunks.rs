//! Trunks.

use http::Method;
use onboarding::{TrunkName, TrunkSid};
use serde::{Deserialize, Serialize};

use crate::{
    Answer, Client, Error, NextPage, Page,
    about::Same,
    call::{Ask, Call},
    envelope, lenient,
};

static CREATE: Call = Call::known(
    "create_trunk",
    Method::POST,
    "/v2/accounts/{account_sid}/trunks",
);
static LIST: Call = Call::known(
    "trunks_page",
    Method::GET,
    "/v2/accounts/{account_sid}/trunks",
);
static GET: Call = Call::known(
    "trunk",
    Method::GET,
    "/v2/accounts/{account_sid}/trunks/{trunk_sid}",
);
static DELETE: Call = Call::known(
    "delete_trunk",
    Method::DELETE,
    "/v2/accounts/{account_sid}/trunks",
);
static UPDATE: Call = Call::undocumented(
    "update_trunk",
    Method::PUT,
    "/v2/accounts/{account_sid}/trunks/{trunk_sid}",
);

/// Any network operator: the one value that Exotel documents, hyphen and capitals.
const ANY_OPERATOR: &str = "ANY-ANY";

/// A trunk, as Exotel tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Trunk {
    /// Its identity.
    pub trunk_sid: TrunkSid,
    /// Its name, unique in the account. Others' trunks may have names that we would not choose.
    #[serde(deserialize_with = "lenient::text")]
    pub trunk_name: String,
    /// `active` or `inactive`.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub status: Option<String>,
    /// Its SIP domain.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub domain_name: Option<String>,
    /// `IP-WHITELIST`, also where digest credentials are used.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub auth_type: Option<String>,
    /// Network operator code.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub nso_code: Option<String>,
    /// `enabled` or `disabled`: SIP registration.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub registration_enabled: Option<String>,
    /// `enabled` or `disabled`: TLS.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub secure_trunking: Option<String>,
    /// When it was made, ISO 8601 UTC.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub date_created: Option<String>,
    /// When it was last changed, ISO 8601 UTC.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub date_updated: Option<String>,
}

/// What [`Client::update_trunk`] changes; `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TrunkChange {
    /// A new name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trunk_name: Option<TrunkName>,
    /// How callers are told apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_type: Option<String>,
    /// Network operator code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nso_code: Option<String>,
}

#[derive(Serialize)]
struct NewTrunk<'a> {
    trunk_name: &'a str,
    nso_code: &'a str,
    domain_name: &'a str,
}

impl Client {
    /// Creates a trunk. A name that is taken gives [`crate::Class::Duplicate`].
    ///
    /// # Errors
    ///
    /// [`Error`]; its class says what to do.
    pub async fn create_trunk(&self, name: &TrunkName) -> Result<Answer<Trunk>, Error> {
        let ask = Ask::new(&CREATE, self.trunks_url(format_args!(""))).json(&NewTrunk {
            trunk_name: name.as_str(),
            nso_code: ANY_OPERATOR,
            domain_name: self.domain_name(),
        });
        let about = [("trunk_name", Same::Text(name.as_str()))];
        self.ask(ask, envelope::one, &about).await
    }

    /// One page of the account's trunks.
    ///
    /// # Errors
    ///
    /// [`Error`]; a next page that does not come after this one is one, `paging_stuck`.
    pub async fn trunks_page(&self, at: NextPage) -> Result<Answer<Page<Trunk>>, Error> {
        self.page(&LIST, self.trunks_url(format_args!("")), at, &[])
            .await
    }

    /// One trunk.
    ///
    /// # Errors
    ///
    /// [`Error`]; its class says what to do.
    pub async fn trunk(&self, sid: &TrunkSid) -> Result<Answer<Trunk>, Error> {
        let url = self.trunks_url(format_args!("/{sid}"));
        let about = [("trunk_sid", Same::Trunk(sid))];
        self.ask(Ask::new(&GET, url), envelope::one, &about).await
    }

    /// Deletes a trunk with its numbers, ACL entries and destinations, and gives what it was.
    /// Credentials are not in Exotel's list of what goes with it: delete them first.
    ///
    /// # Errors
    ///
    /// [`Error`]; its class says what to do.
    pub async fn delete_trunk(&self, sid: &TrunkSid) -> Result<Answer<Trunk>, Error> {
        let url = self.trunks_url(format_args!("?trunk_sid={sid}"));
        let about = [("trunk_sid", Same::Trunk(sid))];
        self.ask(Ask::new(&DELETE, url), envelope::one, &about)
            .await
    }

    /// Changes a trunk. Published outside of the API reference only.
    ///
    /// # Errors
    ///
    /// [`Error`]; its class says what to do.
    pub async fn update_trunk(
        &self,
        sid: &TrunkSid,
        change: &TrunkChange,
    ) -> Result<Answer<()>, Error> {
        let ask = Ask::new(&UPDATE, self.trunks_url(format_args!("/{sid}"))).json(change);
        let name = change.trunk_name.as_ref().map(TrunkName::as_str);
        let about = [
            ("trunk_name", Same::changed(name)),
            ("trunk_sid", Same::Trunk(sid)),
        ];
        self.ask(ask, envelope::done, &about).await
    }
}
