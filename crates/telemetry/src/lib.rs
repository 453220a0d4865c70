//! What is measured and traced.
