//! The worker against the real store and the simulator, over loopback.

mod account_trouble;
mod ending;
mod fault_matrix;
mod happy_path;
mod late;
mod line;
mod looking;
mod lost_store;
mod newcomers;
mod observed;
mod outage;
mod taken;
mod told;
mod trouble;
mod world;
