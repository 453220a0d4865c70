//! One module per command.

pub(crate) mod accounts;
mod accounts_check;
pub(crate) mod cancel;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod enqueue;
pub(crate) mod handoff;
pub(crate) mod list;
pub(crate) mod man;
pub(crate) mod onboard;
pub(crate) mod plan;
mod plan_before;
pub(crate) mod probe;
pub(crate) mod recipes;
pub(crate) mod retry;
pub(crate) mod sandbox;
pub(crate) mod serve;
pub(crate) mod status;
pub(crate) mod store_copy;
pub(crate) mod tokens;
pub(crate) mod verify;
pub(crate) mod work;
