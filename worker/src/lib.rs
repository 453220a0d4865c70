//! Claims onboardings and runs their steps.
