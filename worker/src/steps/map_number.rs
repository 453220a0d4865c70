//! Maps the number to the trunk.
//!
//! - **Effect**: `POST trunks/{sid}/phone-numbers`.
//! - **Repeat**: a number is mapped once in all of Exotel, so a repeat is a duplicate, and so is a
//!   number that another trunk has; the trunk's list tells which.
//! - **Cost**: one request; reading back one, and one each to set the mode and to find the other
//!   trunk.

use exotel::{Answer, Client};
use onboarding::{Mode, PhoneNumber, StepResult, TrunkSid};

use super::{Found, Why, answer, entry};
use crate::{
    execute::{Halt, Run},
    fault::{Interrupt, fault},
    read::{self, Reader},
};

pub(super) async fn send(
    client: &Client,
    trunk: &TrunkSid,
    number: &PhoneNumber,
    mode: Option<Mode>,
) -> Result<Answer<StepResult>, exotel::Error> {
    let mapped = client.map_number(trunk, number, mode).await?;
    Ok(answer(mapped, |mapping| entry(&mapping.id)))
}

pub(super) async fn probe(
    run: &mut Run<'_>,
    trunk: &TrunkSid,
    number: &PhoneNumber,
    mode: Option<Mode>,
    why: Why,
) -> Result<Found, Interrupt<Halt>> {
    let client = run.client;
    let found = read::find(
        run,
        "a trunk's numbers",
        read::ENTRY_PAGES,
        |at| Box::pin(client.numbers_page(trunk, at)),
        Some(number.as_str()),
        |mapping| same_number(&mapping.phone_number, number).then_some(mapping),
    )
    .await?;
    let Some(mapping) = found else {
        return match why {
            Why::Doubt => Ok(Found::Absent),
            Why::Duplicate => elsewhere(run, trunk, number).await,
        };
    };
    // Without a mode Exotel routes as with pstn.
    let wanted = mode.unwrap_or(Mode::Pstn);
    if mapping.mode.unwrap_or(Mode::Pstn) != wanted {
        run.read(|| Box::pin(client.update_number(trunk, &mapping.id, number, wanted)))
            .await?;
    }
    Ok(Found::There(entry(&mapping.id)))
}

/// Exotel may write a number with or without its plus.
pub(crate) fn same_number(listed: &str, number: &PhoneNumber) -> bool {
    let digits = |text: &str| text.trim().trim_start_matches('+').to_owned();
    digits(listed) == digits(number.as_str())
}

/// Exotel may write a SID in another case.
fn is_same_trunk(told: &TrunkSid, trunk: &TrunkSid) -> bool {
    told.as_str().eq_ignore_ascii_case(trunk.as_str())
}

/// The number is mapped, but not to our trunk: says to which one, if Exotel tells.
async fn elsewhere(
    run: &mut Run<'_>,
    trunk: &TrunkSid,
    number: &PhoneNumber,
) -> Result<Found, Interrupt<Halt>> {
    let client = run.client;
    // Published outside of the API reference only, so that any answer but the right one is no
    // answer: it is asked once.
    let told = match run.read_once(|| Box::pin(client.trunk_map(number))).await {
        Ok(told) => Ok(told),
        Err(Interrupt::Refused(error)) => Err(error),
        Err(halt) => return Err(halt),
    };
    let place = match told {
        Ok(Some(map)) if is_same_trunk(&map.trunk_sid, trunk) => {
            if let Some(id) = map.phone_number_id {
                return Ok(Found::There(entry(&id)));
            }
            format!(
                "trunk {trunk} itself, by Exotel's trunk map, though the trunk does not list it"
            )
        }
        Ok(Some(map)) => format!("trunk {}", map.trunk_sid),
        Ok(None) => "another trunk; Exotel's trunk map does not tell which".into(),
        Err(error) => format!(
            "another trunk; which one could not be found out, for Exotel's trunk map answered {}",
            error.code()
        ),
    };
    Ok(Found::Wrong(fault(
        "duplicate_number",
        format!(
            "map_number: {number} is mapped to {place}. Take it off there in Exotel's dashboard if it is meant to move, then run `trunkline retry`; or cancel this onboarding"
        ),
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_the_same_with_and_without_its_plus() {
        let number: PhoneNumber = "+918000000001".parse().unwrap();
        assert!(same_number("+918000000001", &number));
        assert!(same_number(" 918000000001", &number));
        assert!(!same_number("+91800000000", &number));
        assert!(!same_number("", &number));
    }
}
