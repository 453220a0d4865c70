//! The HTTP side of Trunkline.
