//! Where a trunk sends inbound calls.

use http::Method;
use onboarding::{Destination, TrunkSid};
use serde::{Deserialize, Serialize};

use crate::{
    Answer, Client, EntryId, Error, NextPage, Page,
    about::Same,
    call::{Ask, Call},
    envelope, lenient,
};

static MAP: Call = Call::known(
    "map_destination",
    Method::POST,
    "/v2/accounts/{account_sid}/trunks/{trunk_sid}/destination-uris",
);
static LIST: Call = Call::known(
    "destinations_page",
    Method::GET,
    "/v2/accounts/{account_sid}/trunks/{trunk_sid}/destination-uris",
);
static UPDATE: Call = Call::undocumented(
    "update_destination",
    Method::PUT,
    "/v2/accounts/{account_sid}/trunks/{trunk_sid}/destination-uris/{id}",
);
static DELETE: Call = Call::undocumented(
    "delete_destination",
    Method::DELETE,
    "/v2/accounts/{account_sid}/trunks/{trunk_sid}/destination-uris",
);

/// A destination of a trunk.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct DestinationEntry {
    /// Its id.
    pub id: EntryId,
    /// As Exotel writes it, with `sip:` in front; compare with [`Destination::matches`].
    pub destination: String,
    /// `public`.
    #[serde(default, rename = "type", deserialize_with = "lenient::optional")]
    pub kind: Option<String>,
    /// The lowest is tried first; Exotel's default is 0.
    #[serde(default, deserialize_with = "lenient::optional_number")]
    pub priority: Option<u32>,
    /// Share among those of the same priority; Exotel's default is 1.
    #[serde(default, deserialize_with = "lenient::optional_number")]
    pub weight: Option<u32>,
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

#[derive(Serialize)]
struct NewDestinations<'a> {
    destinations: [NewDestination<'a>; 1],
}

#[derive(Serialize)]
struct NewDestination<'a> {
    destination: &'a str,
}

#[derive(Serialize)]
struct Balance {
    priority: u32,
    weight: u32,
}

impl Client {
    /// Adds a destination to a trunk. It is added even if it is there: a blind repeat leaves two.
    /// An address has to be on the trunk's ACL first.
    ///
    /// # Errors
    ///
    /// [`Error`]; its class says what to do. The batch's one item decides.
    pub async fn map_destination(
        &self,
        sid: &TrunkSid,
        destination: &Destination,
    ) -> Result<Answer<DestinationEntry>, Error> {
        let text = destination.to_string();
        let url = self.trunks_url(format_args!("/{sid}/destination-uris"));
        let ask = Ask::new(&MAP, url).json(&NewDestinations {
            destinations: [NewDestination { destination: &text }],
        });
        let about = [
            ("destination", Same::Destination(destination)),
            ("trunk_sid", Same::Trunk(sid)),
        ];
        self.ask(ask, envelope::one, &about).await
    }

    /// One page of a trunk's destinations.
    ///
    /// # Errors
    ///
    /// [`Error`]; a next page that does not come after this one is one, `paging_stuck`.
    pub async fn destinations_page(
        &self,
        sid: &TrunkSid,
        at: NextPage,
    ) -> Result<Answer<Page<DestinationEntry>>, Error> {
        let url = self.trunks_url(format_args!("/{sid}/destination-uris"));
        self.page(&LIST, url, at, &[("trunk_sid", Same::Trunk(sid))])
            .await
    }

    /// Sets a destination's priority and weight. Published outside of the API reference only.
    ///
    /// # Errors
    ///
    /// [`Error`]; its class says what to do.
    pub async fn update_destination(
        &self,
        sid: &TrunkSid,
        id: &EntryId,
        priority: u32,
        weight: u32,
    ) -> Result<Answer<()>, Error> {
        let url = self.trunks_url(format_args!("/{sid}/destination-uris/{id}"));
        let ask = Ask::new(&UPDATE, url).json(&Balance { priority, weight });
        let about = [
            ("id", Same::Id(id)),
            ("priority", Same::Count(priority)),
            ("weight", Same::Count(weight)),
            ("trunk_sid", Same::Trunk(sid)),
        ];
        self.ask(ask, envelope::done, &about).await
    }

    /// Deletes a destination. Published outside of the API reference only.
    ///
    /// # Errors
    ///
    /// [`Error`]; its class says what to do.
    pub async fn delete_destination(
        &self,
        sid: &TrunkSid,
        id: &EntryId,
    ) -> Result<Answer<()>, Error> {
        let url = self.trunks_url(format_args!("/{sid}/destination-uris?id={id}"));
        let about = [("id", Same::Id(id)), ("trunk_sid", Same::Trunk(sid))];
        self.ask(Ask::new(&DELETE, url), envelope::done, &about)
            .await
    }
}
