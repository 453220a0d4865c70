//! Numbers mapped to a trunk.

use http::Method;
use onboarding::{Mode, PhoneNumber, TrunkSid};
use percent_encoding::utf8_percent_encode;
use serde::{Deserialize, Serialize};

use crate::{
    Answer, Client, EntryId, Error, NextPage, Page,
    about::Same,
    call::{Ask, Call, QUERY},
    envelope, lenient,
};

static MAP: Call = Call::known(
    "map_number",
    Method::POST,
    "/v2/accounts/{account_sid}/trunks/{trunk_sid}/phone-numbers",
);
static LIST: Call = Call::known(
    "numbers_page",
    Method::GET,
    "/v2/accounts/{account_sid}/trunks/{trunk_sid}/phone-numbers",
);
static UPDATE: Call = Call::known(
    "update_number",
    Method::PUT,
    "/v2/accounts/{account_sid}/trunks/{trunk_sid}/phone-numbers/{id}",
);
static UNMAP: Call = Call::undocumented(
    "unmap_number",
    Method::DELETE,
    "/v2/accounts/{account_sid}/trunks/{trunk_sid}/phone-numbers",
);
static TRUNK_MAP: Call = Call::undocumented(
    "trunk_map",
    Method::GET,
    "/v2/accounts/{account_sid}/trunk-maps",
);

/// A number that is mapped to a trunk.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct NumberMapping {
    /// The mapping's id, which [`Client::update_number`] takes.
    pub id: EntryId,
    /// The number, E.164.
    #[serde(deserialize_with = "lenient::text")]
    pub phone_number: String,
    /// The trunk.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub trunk_sid: Option<TrunkSid>,
    /// How it is routed; `None` is Exotel's default and behaves as [`Mode::Pstn`].
    #[serde(default, deserialize_with = "lenient::mode")]
    pub mode: Option<Mode>,
    /// When it was made, ISO 8601 UTC.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub date_created: Option<String>,
    /// When it was last changed, ISO 8601 UTC.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub date_updated: Option<String>,
}

/// Which trunk a number is mapped to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct TrunkMap {
    /// The number, as Exotel writes it.
    #[serde(deserialize_with = "lenient::text")]
    pub exophone: String,
    /// The trunk.
    pub trunk_sid: TrunkSid,
    /// The mapping's id.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub phone_number_id: Option<EntryId>,
    /// How it is routed.
    #[serde(default, deserialize_with = "lenient::mode")]
    pub mode: Option<Mode>,
}

#[derive(Serialize)]
struct NumberBody<'a> {
    phone_number: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<Mode>,
}

impl Client {
    /// Maps a number to a trunk. A number that is mapped already, to this trunk or to another one,
    /// gives [`crate::Class::Duplicate`]; the answer does not say which.
    ///
    /// # Errors
    ///
    /// [`Error`]; its class says what to do.
    pub async fn map_number(
        &self,
        sid: &TrunkSid,
        number: &PhoneNumber,
        mode: Option<Mode>,
    ) -> Result<Answer<NumberMapping>, Error> {
        let url = self.trunks_url(format_args!("/{sid}/phone-numbers"));
        let ask = Ask::new(&MAP, url).json(&NumberBody {
            phone_number: number.as_str(),
            mode,
        });
        let about = [
            ("phone_number", Same::Phone(number)),
            // Without a mode Exotel routes as with pstn.
            ("mode", Same::Mode(mode.unwrap_or(Mode::Pstn))),
            ("trunk_sid", Same::Trunk(sid)),
        ];
        self.ask(ask, envelope::one, &about).await
    }

    /// One page of a trunk's numbers.
    ///
    /// # Errors
    ///
    /// [`Error`]; a next page that does not come after this one is one, `paging_stuck`.
    pub async fn numbers_page(
        &self,
        sid: &TrunkSid,
        at: NextPage,
    ) -> Result<Answer<Page<NumberMapping>>, Error> {
        let url = self.trunks_url(format_args!("/{sid}/phone-numbers"));
        self.page(&LIST, url, at, &[("trunk_sid", Same::Trunk(sid))])
            .await
    }

    /// Sets how a mapped number is routed. `id` is the mapping's, `number` the one it maps.
    ///
    /// # Errors
    ///
    /// [`Error`]; its class says what to do.
    pub async fn update_number(
        &self,
        sid: &TrunkSid,
        id: &EntryId,
        number: &PhoneNumber,
        mode: Mode,
    ) -> Result<Answer<NumberMapping>, Error> {
        let url = self.trunks_url(format_args!("/{sid}/phone-numbers/{id}"));
        let ask = Ask::new(&UPDATE, url).json(&NumberBody {
            phone_number: number.as_str(),
            mode: Some(mode),
        });
        let about = [
            ("id", Same::Id(id)),
            ("phone_number", Same::Phone(number)),
            ("mode", Same::Mode(mode)),
            ("trunk_sid", Same::Trunk(sid)),
        ];
        self.ask(ask, envelope::one, &about).await
    }

    /// Takes a number off a trunk. Published outside of the API reference only.
    ///
    /// # Errors
    ///
    /// [`Error`]; its class says what to do.
    pub async fn unmap_number(&self, sid: &TrunkSid, id: &EntryId) -> Result<Answer<()>, Error> {
        let url = self.trunks_url(format_args!("/{sid}/phone-numbers?id={id}"));
        let about = [("id", Same::Id(id)), ("trunk_sid", Same::Trunk(sid))];
        self.ask(Ask::new(&UNMAP, url), envelope::done, &about)
            .await
    }

    /// Which trunk of the account a number is mapped to. `None`: Exotel names none; what it
    /// answers then is not published, so take it as "it does not tell". Published outside of the
    /// API reference only.
    ///
    /// # Errors
    ///
    /// [`Error`]; its class says what to do. An answer about other numbers only is one,
    /// `answer_differs`.
    pub async fn trunk_map(&self, number: &PhoneNumber) -> Result<Answer<Option<TrunkMap>>, Error> {
        let encoded = utf8_percent_encode(number.as_str(), QUERY);
        let url = self.account_url(format_args!("/trunk-maps?exophone={encoded}"));
        let ask = Ask::new(&TRUNK_MAP, url);
        let about = [("exophone", Same::Phone(number))];
        self.ask(ask, envelope::one_or_none, &about).await
    }
}
