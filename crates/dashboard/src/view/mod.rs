//! What pages show, made of records and what the store knows. Pure: times are passed in.

pub(crate) mod account;
pub(crate) mod batch;
pub(crate) mod delivery;
pub(crate) mod error;
pub(crate) mod failure;
pub(crate) mod figures;
pub(crate) mod handoff;
pub(crate) mod onboarding;
pub(crate) mod parts;
pub(crate) mod plan;
pub(crate) mod recipe;
pub(crate) mod refused;
pub(crate) mod steps;
