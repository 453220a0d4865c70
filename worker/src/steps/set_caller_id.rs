//! Sets the number that called people see.
//!
//! - **Effect**: `POST trunks/{sid}/settings` with `trunk_external_alias`.
//! - **Repeat**: a set, so a repeat is harmless and nothing is read back.
//! - **Cost**: one request.

use exotel::{Answer, Client};
use onboarding::{PhoneNumber, StepResult, TrunkSid};

use super::answer;

pub(super) async fn send(
    client: &Client,
    trunk: &TrunkSid,
    caller_id: &PhoneNumber,
) -> Result<Answer<StepResult>, exotel::Error> {
    let set = client.set_caller_id(trunk, caller_id).await?;
    Ok(answer(set, |_| StepResult::Setting {
        value: caller_id.to_string(),
    }))
}
