//! Typed client for Exotel's SIP trunking API: one attempt per call, no retry, no sleep.
