//! The promise: what goes on after a kill costs what is left to do, one read for each step that is
//! found, and at most two reads more.
//!
//! The method: onboardings are killed at every step, before and after its request was processed, and
//! what is sent from then on is counted.

use tests::{Collection, Request, STEPS, Simulator, StoreKind};

use crate::crash_matrix::{Moment, cells, finish, kill_at, place_of};

/// What the last step of every recipe with `verify` reads: the trunk and five lists.
pub(crate) const VERIFY: usize = 6;

on_both_stores!(a_resumed_onboarding_costs_at_most_two_reads_more_than_the_steps_that_it_finds,);

/// The writes that add to what is there and were sent after a look for an earlier one: what they made
/// is read once more at the end.
fn repeated_appends(log: &[Request]) -> usize {
    let appended = [Collection::Credentials, Collection::Destinations];
    let repeated = |collection: &&Collection| {
        let made = log.iter().position(|it| it.makes(**collection));
        made.is_some_and(|at| log[..at].iter().any(|it| it.lists(**collection)))
    };
    appended.iter().filter(repeated).count()
}

fn a_resumed_onboarding_costs_at_most_two_reads_more_than_the_steps_that_it_finds(kind: StoreKind) {
    let simulator = Simulator::start();
    let cells = cells();
    let place = place_of(&simulator, &cells, kind);
    kill_at(&simulator, &place, &cells, kind);
    let before = simulator.requests().len();
    finish(&simulator, &place, &cells, kind);
    let after = simulator.requests().split_off(before);
    for cell in &cells {
        let of_cell = |it: &&Request| it.account == cell.account;
        let mine: Vec<Request> = after.iter().filter(of_cell).cloned().collect();
        let reads = mine.iter().filter(|it| it.method == "GET").count();
        let index = STEPS.iter().position(|(step, ..)| *step == cell.step);
        // A caller id cannot be read back.
        let done = cell.moment == Moment::BeforeTheAnswer;
        let found = usize::from(done && !matches!(cell.step, "set_caller_id" | "verify"));
        let left = STEPS.len() - 1 - index.expect("a step") - found;
        let most = VERIFY + found + 2 + repeated_appends(&mine);
        let what = format!("{}: {mine:#?}", cell.name());
        assert_eq!(mine.len() - reads, left, "{what}");
        assert!(reads <= most, "{reads} reads, not {most}: {what}");
    }
}
