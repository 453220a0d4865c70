//! Addresses that may send to a trunk.

use std::net::Ipv4Addr;

use http::Method;
use onboarding::{PublicIpv4, TrunkSid};
use serde::{Deserialize, Serialize};

use crate::{
    Answer, Client, EntryId, Error, NextPage, Page,
    about::Same,
    call::{Ask, Call},
    envelope, lenient,
};

static ADD: Call = Call::known(
    "whitelist_ip",
    Method::POST,
    "/v2/accounts/{account_sid}/trunks/{trunk_sid}/whitelisted-ips",
);
static LIST: Call = Call::known(
    "whitelisted_ips_page",
    Method::GET,
    "/v2/accounts/{account_sid}/trunks/{trunk_sid}/whitelisted-ips",
);
static REMOVE: Call = Call::undocumented(
    "remove_whitelisted_ip",
    Method::DELETE,
    "/v2/accounts/{account_sid}/trunks/{trunk_sid}/whitelisted-ips",
);

/// The only mask that Exotel supports for voice-AI trunks: single addresses (its integration
/// guides), although the API takes 16 to 32.
const SINGLE_ADDRESS: u8 = 32;

/// An entry of a trunk's ACL.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct WhitelistedIp {
    /// Its id.
    pub id: EntryId,
    /// The address, or a range's first one.
    pub ip: String,
    /// The prefix's length in bits; 32 is a single address.
    #[serde(deserialize_with = "lenient::number")]
    pub mask: u8,
    /// The trunk.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub trunk_sid: Option<TrunkSid>,
    /// A label.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub friendly_name: Option<String>,
    /// When it was made, ISO 8601 UTC.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub date_created: Option<String>,
    /// When it was last changed, ISO 8601 UTC.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub date_updated: Option<String>,
}

#[derive(Serialize)]
struct NewEntry {
    ip: Ipv4Addr,
    mask: u8,
}

impl Client {
    /// Lets one address send to a trunk, with mask 32. An address that is there gives
    /// [`crate::Class::Duplicate`], whatever its mask.
    ///
    /// # Errors
    ///
    /// [`Error`]; its class says what to do.
    pub async fn whitelist_ip(
        &self,
        sid: &TrunkSid,
        ip: PublicIpv4,
    ) -> Result<Answer<WhitelistedIp>, Error> {
        let url = self.trunks_url(format_args!("/{sid}/whitelisted-ips"));
        let ask = Ask::new(&ADD, url).json(&NewEntry {
            ip: ip.get(),
            mask: SINGLE_ADDRESS,
        });
        let about = [
            ("ip", Same::Ip(ip.get())),
            ("mask", Same::Count(SINGLE_ADDRESS.into())),
            ("trunk_sid", Same::Trunk(sid)),
        ];
        self.ask(ask, envelope::one, &about).await
    }

    /// One page of a trunk's ACL.
    ///
    /// # Errors
    ///
    /// [`Error`]; a next page that does not come after this one is one, `paging_stuck`.
    pub async fn whitelisted_ips_page(
        &self,
        sid: &TrunkSid,
        at: NextPage,
    ) -> Result<Answer<Page<WhitelistedIp>>, Error> {
        let url = self.trunks_url(format_args!("/{sid}/whitelisted-ips"));
        self.page(&LIST, url, at, &[("trunk_sid", Same::Trunk(sid))])
            .await
    }

    /// Takes an entry off a trunk's ACL. Published outside of the API reference only.
    ///
    /// # Errors
    ///
    /// [`Error`]; its class says what to do.
    pub async fn remove_whitelisted_ip(
        &self,
        sid: &TrunkSid,
        id: &EntryId,
    ) -> Result<Answer<()>, Error> {
        let url = self.trunks_url(format_args!("/{sid}/whitelisted-ips?id={id}"));
        let about = [("id", Same::Id(id)), ("trunk_sid", Same::Trunk(sid))];
        self.ask(Ask::new(&REMOVE, url), envelope::done, &about)
            .await
    }
}
