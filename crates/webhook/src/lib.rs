//! Standard Webhooks: signups that come in, news that go out.
