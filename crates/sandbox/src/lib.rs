//! A simulator of Exotel's SIP trunking API that any HTTP client can use.
