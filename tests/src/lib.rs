//! Promises of Trunkline.
