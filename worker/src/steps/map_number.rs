//! Maps the number to the trunk.
//!
//! - **Effect**: `POST trunks/{sid}/phone-numbers`.
//! - **Repeat**: a number is mapped once in all of Exotel, so a repeat is a duplicate, and so is a
//!   number that another trunk has; the trunk's list tells which.
//! - **Cost**: one request; reading back one, and one each to set the mode and to find the other
//!   trunk.

use exotel::{Answer, Class, Client, NumberMapping};
use onboarding::{Fault, Mode, PhoneNumber, StepResult, TrunkSid};

use super::{Found, Look, Resource, answer, entry};
use crate::{
    execute::{Halt, Run},
    fault::{Interrupt, fault},
    read::{self, Entries, Reader},
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

pub(super) async fn look<R: Reader>(
    reader: &mut R,
    look: &Look<'_>,
    trunk: &TrunkSid,
    number: &PhoneNumber,
    mode: Option<Mode>,
) -> Result<Found, Interrupt<R::Halt>> {
    let read;
    let listed = match &look.numbers {
        Some(numbers) => numbers,
        None => {
            read = all(reader, look.client, trunk).await?;
            if !read
                .items
                .iter()
                .any(|it| same_number(&it.phone_number, number))
            {
                read.absent(number.as_str())?;
            }
            &read.items
        }
    };
    let mapping = listed
        .iter()
        .find(|mapping| same_number(&mapping.phone_number, number));
    Ok(mapping.map_or(Found::Absent, |mapping| {
        // Without a mode Exotel routes as with pstn.
        let wanted = mode.unwrap_or(Mode::Pstn);
        Found::There(Resource {
            mode: (mapping.mode.unwrap_or(Mode::Pstn) != wanted).then_some(wanted),
            ..entry(&mapping.id).into()
        })
    }))
}

/// A trunk's numbers.
pub(super) async fn all<R: Reader>(
    reader: &mut R,
    client: &Client,
    trunk: &TrunkSid,
) -> Result<Entries<NumberMapping>, Interrupt<R::Halt>> {
    read::all(reader, "a trunk's numbers", |at| {
        Box::pin(client.numbers_page(trunk, at))
    })
    .await
}

/// Exotel may write a number with or without its plus.
pub(crate) fn same_number(listed: &str, number: &PhoneNumber) -> bool {
    let digits = |text: &str| text.trim().trim_start_matches('+').to_owned();
    digits(listed) == digits(number.as_str())
}

/// Where a number is that Exotel calls a duplicate and our trunk does not list.
pub(crate) enum Elsewhere {
    /// On our trunk all the same.
    OnOurs(Resource),
    /// On another trunk. `known`: Exotel names it, or offers no way to ask.
    Taken { fault: Fault, known: bool },
}

/// Exotel may write a SID in another case.
fn is_same_trunk(listed: &TrunkSid, trunk: &TrunkSid) -> bool {
    listed.as_str().eq_ignore_ascii_case(trunk.as_str())
}

/// The number is mapped, but our trunk does not list it: says to which one, if Exotel tells.
pub(crate) async fn elsewhere(
    run: &mut Run<'_>,
    trunk: &TrunkSid,
    number: &PhoneNumber,
) -> Result<Elsewhere, Interrupt<Halt>> {
    let client = run.client;
    // Published outside of the API reference only, so that any answer but the right one is no
    // answer: it is asked once.
    let asked = match run.read_once(|| Box::pin(client.trunk_map(number))).await {
        Ok(map) => Ok(map),
        Err(Interrupt::Refused(error)) => Err(error),
        Err(halt) => return Err(halt),
    };
    let (place, known) = match asked {
        Ok(Some(map)) if is_same_trunk(&map.trunk_sid, trunk) => {
            if let Some(id) = map.phone_number_id {
                return Ok(Elsewhere::OnOurs(entry(&id).into()));
            }
            let place = format!(
                "trunk {trunk} itself, by Exotel's trunk map, though the trunk does not list it"
            );
            (place, false)
        }
        Ok(Some(map)) => (format!("trunk {}", map.trunk_sid), true),
        Ok(None) => (
            "another trunk; Exotel's trunk map does not name it".into(),
            false,
        ),
        Err(error) => {
            let place = format!(
                "another trunk; Exotel's trunk map could not be read ({})",
                error.code()
            );
            // No such call here; any other failure is no answer.
            let refused = matches!(
                error.class(),
                Class::Unsupported | Class::NotThere | Class::Refused
            );
            (place, refused)
        }
    };
    let fault = fault(
        "duplicate_number",
        format!(
            "map_number: {number} is mapped to {place}. Take it off there in Exotel's dashboard if it is meant to move, then run `trunkline retry`; or cancel this onboarding"
        ),
    );
    Ok(Elsewhere::Taken { fault, known })
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
