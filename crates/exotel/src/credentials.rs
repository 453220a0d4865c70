//! Digest credentials of a trunk. Passwords go out and never come back.

use http::Method;
use onboarding::{FriendlyName, SipPassword, TrunkSid, UserName};
use serde::{Deserialize, Serialize};

use crate::{
    Answer, Client, EntryId, Error, NextPage, Page,
    about::Same,
    call::{Ask, Call},
    envelope, lenient,
};

static CREATE: Call = Call::known(
    "create_credentials",
    Method::POST,
    "/v2/accounts/{account_sid}/trunks/{trunk_sid}/credentials",
);
static LIST: Call = Call::known(
    "credentials_page",
    Method::GET,
    "/v2/accounts/{account_sid}/trunks/{trunk_sid}/credentials",
);
static DELETE: Call = Call::known(
    "delete_credentials",
    Method::DELETE,
    "/v2/accounts/{account_sid}/trunks/{trunk_sid}/credentials",
);
static UPDATE: Call = Call::undocumented(
    "update_credentials",
    Method::PUT,
    "/v2/accounts/{account_sid}/trunks/{trunk_sid}/credentials/{id}",
);

/// Credentials of a trunk, without the password, which Exotel never tells.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Credentials {
    /// Their id.
    pub id: EntryId,
    /// The digest user name.
    #[serde(deserialize_with = "lenient::text")]
    pub user_name: String,
    /// A label.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub friendly_name: Option<String>,
    /// The trunk.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub trunk_sid: Option<TrunkSid>,
    /// When they were made, ISO 8601 UTC.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub date_created: Option<String>,
    /// When they were last changed, ISO 8601 UTC.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub date_updated: Option<String>,
}

/// What [`Client::update_credentials`] changes; `None` stays as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct CredentialsChange<'a> {
    /// A new user name.
    pub user_name: Option<&'a UserName>,
    /// A new password.
    pub password: Option<&'a SipPassword>,
    /// A new label.
    pub friendly_name: Option<&'a FriendlyName>,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    friendly_name: Option<&'a str>,
}

impl<'a> From<CredentialsChange<'a>> for Body<'a> {
    fn from(change: CredentialsChange<'a>) -> Self {
        Self {
            user_name: change.user_name.map(UserName::as_str),
            password: change.password.map(|password| password.secret().expose()),
            friendly_name: change.friendly_name.map(FriendlyName::as_str),
        }
    }
}

impl Client {
    /// Creates digest credentials on a trunk.
    ///
    /// # Errors
    ///
    /// [`Error`]; its class says what to do.
    pub async fn create_credentials(
        &self,
        sid: &TrunkSid,
        user_name: &UserName,
        password: &SipPassword,
        friendly_name: Option<&FriendlyName>,
    ) -> Result<Answer<Credentials>, Error> {
        let body = Body::from(CredentialsChange {
            user_name: Some(user_name),
            password: Some(password),
            friendly_name,
        });
        let url = self.trunks_url(format_args!("/{sid}/credentials"));
        let ask = Ask::new(&CREATE, url).json(&body).secret(body.password);
        let about = [
            ("user_name", Same::Text(user_name.as_str())),
            ("trunk_sid", Same::Trunk(sid)),
        ];
        self.ask(ask, envelope::one, &about).await
    }

    /// One page of a trunk's credentials.
    ///
    /// # Errors
    ///
    /// [`Error`]; a next page that does not come after this one is one, `paging_stuck`.
    pub async fn credentials_page(
        &self,
        sid: &TrunkSid,
        at: NextPage,
    ) -> Result<Answer<Page<Credentials>>, Error> {
        let url = self.trunks_url(format_args!("/{sid}/credentials"));
        self.page(&LIST, url, at, &[("trunk_sid", Same::Trunk(sid))])
            .await
    }

    /// Changes credentials. Published outside of the API reference only.
    ///
    /// # Errors
    ///
    /// [`Error`]; its class says what to do.
    pub async fn update_credentials(
        &self,
        sid: &TrunkSid,
        id: &EntryId,
        change: CredentialsChange<'_>,
    ) -> Result<Answer<()>, Error> {
        let body = Body::from(change);
        let url = self.trunks_url(format_args!("/{sid}/credentials/{id}"));
        let ask = Ask::new(&UPDATE, url).json(&body).secret(body.password);
        let about = [
            ("id", Same::Id(id)),
            ("user_name", Same::changed(body.user_name)),
            ("trunk_sid", Same::Trunk(sid)),
        ];
        self.ask(ask, envelope::done, &about).await
    }

    /// Deletes credentials.
    ///
    /// # Errors
    ///
    /// [`Error`]; its class says what to do.
    pub async fn delete_credentials(
        &self,
        sid: &TrunkSid,
        id: &EntryId,
    ) -> Result<Answer<()>, Error> {
        let url = self.trunks_url(format_args!("/{sid}/credentials?id={id}"));
        let about = [("id", Same::Id(id)), ("trunk_sid", Same::Trunk(sid))];
        self.ask(Ask::new(&DELETE, url), envelope::done, &about)
            .await
    }
}
