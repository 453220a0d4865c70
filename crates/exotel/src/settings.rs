//! Settings of a trunk. The one in use is the caller id.

use http::Method;
use onboarding::{PhoneNumber, TrunkSid};
use percent_encoding::utf8_percent_encode;
use serde::{Deserialize, Serialize};

use crate::{
    Answer, Client, Error,
    call::{Ask, Call, QUERY},
    envelope,
};

static SET: Call = Call::known(
    "set_caller_id",
    Method::POST,
    "/v2/accounts/{account_sid}/trunks/{trunk_sid}/settings",
);
static GET: Call = Call::undocumented(
    "settings",
    Method::GET,
    "/v2/accounts/{account_sid}/trunks/{trunk_sid}/settings",
);
static DELETE: Call = Call::undocumented(
    "delete_setting",
    Method::DELETE,
    "/v2/accounts/{account_sid}/trunks/{trunk_sid}/settings",
);

/// A setting of a trunk.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Setting {
    /// Its name: [`Setting::CALLER_ID`].
    pub name: String,
    /// Its value.
    pub value: String,
    /// The trunk.
    #[serde(default)]
    pub trunk_sid: Option<TrunkSid>,
    /// When it was made, ISO 8601 UTC.
    #[serde(default)]
    pub date_created: Option<String>,
    /// When it was last changed, ISO 8601 UTC.
    #[serde(default)]
    pub date_updated: Option<String>,
}

impl Setting {
    /// What called parties see as the caller.
    pub const CALLER_ID: &str = "trunk_external_alias";
}

#[derive(Serialize)]
struct NewSettings<'a> {
    settings: [NewSetting<'a>; 1],
}

#[derive(Serialize)]
struct NewSetting<'a> {
    name: &'a str,
    value: &'a str,
}

impl Client {
    /// Sets the number that called parties see. A repeat is harmless.
    ///
    /// # Errors
    ///
    /// [`Error`]; its class says what to do. The batch's one item decides.
    pub async fn set_caller_id(
        &self,
        sid: &TrunkSid,
        number: &PhoneNumber,
    ) -> Result<Answer<Setting>, Error> {
        let url = self.trunks_url(format_args!("/{sid}/settings"));
        let ask = Ask::new(&SET, url).json(&NewSettings {
            settings: [NewSetting {
                name: Setting::CALLER_ID,
                value: number.as_str(),
            }],
        });
        self.ask(ask, envelope::batch_of_one).await
    }

    /// A trunk's settings. Published outside of the API reference only.
    ///
    /// # Errors
    ///
    /// [`Error`]; its class says what to do.
    pub async fn settings(&self, sid: &TrunkSid) -> Result<Answer<Vec<Setting>>, Error> {
        let url = self.trunks_url(format_args!("/{sid}/settings"));
        self.ask(Ask::new(&GET, url), envelope::every).await
    }

    /// Deletes a setting. Published outside of the API reference only.
    ///
    /// # Errors
    ///
    /// [`Error`]; its class says what to do.
    pub async fn delete_setting(&self, sid: &TrunkSid, name: &str) -> Result<Answer<()>, Error> {
        let name = utf8_percent_encode(name, QUERY);
        let url = self.trunks_url(format_args!("/{sid}/settings?name={name}"));
        self.ask(Ask::new(&DELETE, url), envelope::done).await
    }
}
