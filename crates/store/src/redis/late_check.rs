//! Finished onboardings that are checked once more.

use std::time::Duration;

use onboarding::OnboardingId;

use super::{
    RedisStore,
    progress::json,
    script::{LATE_CHECKED, TAKE_LATE},
    work::{AT_ONCE, number},
};
use crate::{LateCheck, LateChecked, LateChecks, Result, clock::millis};

impl RedisStore {
    pub(super) async fn take_late_checks(
        &self,
        max: usize,
        hidden: Duration,
    ) -> Result<LateChecks> {
        let args = [number(max.min(AT_ONCE)), number(millis(hidden))];
        let mut answer = self.call(&TAKE_LATE, &args).await?;
        let next = u64::try_from(answer.number()?).ok();
        let now_ms = answer.number()?;
        let mut due = Vec::new();
        while !answer.is_empty() {
            due.push(LateCheck {
                id: OnboardingId::from_bytes(answer.exactly()?),
                epoch: answer.count()?,
                suspect: answer.count()? == 1,
                ended: Duration::from_millis(answer.count()?),
                now_ms,
            });
        }
        Ok(LateChecks {
            due,
            next: next.map(Duration::from_millis),
        })
    }

    pub(super) async fn record_late_check(
        &self,
        check: &LateCheck,
        found: LateChecked,
    ) -> Result<()> {
        let again = found.again.map_or(-1, millis);
        let fault = found.fault.map(|fault| json(self.place(), &fault));
        let mut args = vec![
            check.id.to_bytes().to_vec(),
            number(check.epoch),
            number(again),
            fault.transpose()?.unwrap_or_default(),
        ];
        for (index, record) in &found.steps {
            args.push(number(index));
            args.push(json(self.place(), record)?);
        }
        self.call(&LATE_CHECKED, &args).await.map(drop)
    }
}
