//! The promise: whatever the clocks of an account's processes say, and whoever sets them, no minute
//! holds more requests than the limit.
//!
//! The method: as many checks of an account as its allowance has, each a process with another time of
//! day; then a worker and more checks whose clocks are ahead by more than a window. Whoever believed
//! its clock would send at once.

use std::time::Duration;

use tests::{Place, Program, Signup, Simulator, lines_of, until_within};

const LIMIT: u64 = 20;

/// Longer than a window, on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(150);

#[test]
fn processes_whose_clocks_differ_keep_to_one_limit_and_so_does_a_restart_with_the_clock_ahead() {
    let simulator = Simulator::start();
    let limits = format!("requests_per_minute = {LIMIT}, connections = 50");
    let place = Place::with_limits(&simulator, &["acme"], &limits);
    // A worker's registration says what the limit is.
    let _ = place.run(&["work", "--drain"]).with(0);
    place.write(
        "one.jsonl",
        &lines_of(&[Signup::new("acme", "five_steps", 1)]),
    );
    let _ = place.run(&["enqueue", "one.jsonl"]).with(0);
    let at = |offset: &str, arguments: &[&str]| place.launch(place.command_at(offset, arguments));
    let wait = |mut program: Program| {
        until_within(PATIENCE, Duration::from_millis(50), "it ends", || {
            (!program.runs()).then_some(())
        });
        program.wait().with(0)
    };
    let clocks = ["+0", "+10m", "-10m", "+61s"];
    for n in 0..LIMIT as usize {
        let _ = wait(at(clocks[n % clocks.len()], &["accounts", "check", "acme"]));
    }
    let sent = simulator.stats()["acme"]["requests"].clone();
    assert_eq!(sent, LIMIT, "each check is one request");

    // Later by their clocks, and nothing has come back.
    let late = [
        at("+61s", &["work", "--drain"]),
        at("+2h", &["accounts", "check", "acme"]),
        at("-2h", &["accounts", "check", "acme"]),
    ];
    let _ = late.map(wait);
    let stats = simulator.stats()["acme"].clone();
    assert_eq!(stats["requests"], LIMIT + 7, "the work and both checks");
    assert!(stats["max_in_window"].as_u64() <= Some(LIMIT), "{stats}");
}
