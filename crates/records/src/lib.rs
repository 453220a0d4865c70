//! The records that programs read.
