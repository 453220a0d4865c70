//! Settings of a trunk. The one in use is the caller id.

use http::Method;
use onboarding::{PhoneNumber, TrunkSid};
use percent_encoding::utf8_percent_encode;
use serde::{Deserialize, Serialize};

use crate::{
    Answer, Class, Client, Error,
    about::Same,
    call::{Ask, Call, QUERY},
    envelope::{self, Listed},
    lenient,
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
    #[serde(deserialize_with = "lenient::text")]
    pub value: String,
    /// The trunk.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub trunk_sid: Option<TrunkSid>,
    /// When it was made, ISO 8601 UTC.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub date_created: Option<String>,
    /// When it was last changed, ISO 8601 UTC.
    #[serde(default, deserialize_with = "lenient::optional")]
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
        let about = [
            ("name", Same::Text(Setting::CALLER_ID)),
            ("value", Same::Phone(number)),
            ("trunk_sid", Same::Trunk(sid)),
        ];
        self.ask(ask, envelope::one, &about).await
    }

    /// A trunk's settings. Published outside of the API reference only.
    ///
    /// # Errors
    ///
    /// [`Error`]; its class says what to do. Where the caller id is not among them, but may be in
    /// what could not be read, it is one, `unreadable_entry`.
    pub async fn settings(&self, sid: &TrunkSid) -> Result<Answer<Vec<Setting>>, Error> {
        let url = self.trunks_url(format_args!("/{sid}/settings"));
        let about = [("trunk_sid", Same::Trunk(sid))];
        let answer = self
            .ask(Ask::new(&GET, url), envelope::list_or_null, &about)
            .await?;
        let Listed {
            items,
            unreadable,
            next,
        } = &answer.value;
        let is_there = |setting: &Setting| setting.name == Setting::CALLER_ID;
        let unread = unreadable.iter().any(|it| it.mentions(Setting::CALLER_ID))
            || next.as_deref().is_some_and(|uri| !uri.is_empty());
        if unread && !items.iter().any(is_there) {
            let what = "the caller id may be among the settings that could not be read";
            let (class, code) = (Class::Unknown, "unreadable_entry");
            return Err(Error::bare(
                answer.call,
                class,
                code,
                answer.date,
                what.to_owned(),
            ));
        }
        Ok(answer.map(|listed| listed.items))
    }

    /// Deletes a setting. Published outside of the API reference only.
    ///
    /// # Errors
    ///
    /// [`Error`]; its class says what to do.
    pub async fn delete_setting(&self, sid: &TrunkSid, name: &str) -> Result<Answer<()>, Error> {
        let encoded = utf8_percent_encode(name, QUERY);
        let url = self.trunks_url(format_args!("/{sid}/settings?name={encoded}"));
        let about = [("name", Same::Text(name)), ("trunk_sid", Same::Trunk(sid))];
        self.ask(Ask::new(&DELETE, url), envelope::done, &about)
            .await
    }
}
