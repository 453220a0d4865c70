//! The producer's promises, on real files and a real store.

mod bad_input;
mod desk;
mod good_input;
mod planning;
mod reading;
mod refusals;
mod repeats;
