//! What others are told.

use std::time::Duration;

use async_trait::async_trait;

use super::RedisStore;
use crate::{
    AfterAttempt, Attempt, Cursor, Delivery, DeliveryFilter, DeliveryId, DeliveryPage, Due, Error,
    NewDelivery, Outbox, Result,
};

fn later<T>() -> Result<T> {
    Err(Error::Unavailable {
        place: "store".to_owned(),
        message: "not there yet".to_owned(),
        source: None,
    })
}

#[async_trait]
impl Outbox for RedisStore {
    async fn laid_out(&self) -> Result<Option<String>> {
        later()
    }
    async fn lay_out(&self, _: Option<&str>, _: &str, _: Vec<NewDelivery>) -> Result<bool> {
        later()
    }
    async fn take_due(&self, _: usize, _: Duration) -> Result<Due> {
        later()
    }
    async fn attempted(&self, _: &DeliveryId, _: u32, _: Attempt, _: AfterAttempt) -> Result<bool> {
        later()
    }
    async fn resend(&self, _: &DeliveryId) -> Result<bool> {
        later()
    }
    async fn delivery(&self, _: &DeliveryId) -> Result<Option<Delivery>> {
        later()
    }
    async fn deliveries(
        &self,
        _: &DeliveryFilter,
        _: Option<&Cursor>,
        _: usize,
    ) -> Result<DeliveryPage> {
        later()
    }
    async fn deliveries_waiting(&self) -> Result<u64> {
        later()
    }
}
