//! The producer's promises, on real files and a real store.

mod bad_input;
mod catcher;
mod desk;
mod good_input;
mod items;
mod origin;
mod planning;
mod reading;
mod refusals;
mod repeats;
