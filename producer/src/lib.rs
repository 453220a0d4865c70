//! Turns files of signups into accepted onboardings.
