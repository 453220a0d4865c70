//! Reading many onboardings where one may be damaged.

use onboarding::OnboardingId;
use store::{Error, Inspect, Onboarding};

/// The onboardings with these ids that are there and can be read, and what is wrong with each other one:
/// for those who go through what happened, which one that is damaged must not end.
///
/// # Errors
/// As the store answers; [`Error::Corrupt`] is none of them.
pub async fn undamaged(
    store: &dyn Inspect,
    ids: &[OnboardingId],
) -> store::Result<(Vec<Onboarding>, Vec<Error>)> {
    match store.get_many(ids).await {
        Err(Error::Corrupt { .. }) => {}
        answered => return Ok((answered?, Vec::new())),
    }
    let (mut found, mut damaged) = (Vec::new(), Vec::new());
    for id in ids {
        match store.get(*id).await {
            Err(error @ Error::Corrupt { .. }) => damaged.push(error),
            answered => found.extend(answered?),
        }
    }
    Ok((found, damaged))
}
