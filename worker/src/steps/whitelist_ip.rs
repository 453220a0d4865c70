//! Puts one source address on the trunk's ACL.
//!
//! - **Effect**: `POST trunks/{sid}/whitelisted-ips`, always with mask 32: Exotel supports only
//!   single addresses for voice-AI trunks (its guides).
//! - **Repeat**: a duplicate, whatever the mask of what is there; the list tells the mask.
//! - **Cost**: one request; reading back one.

use exotel::{Answer, Client, WhitelistedIp};
use onboarding::{PublicIpv4, StepResult, TrunkSid};

use super::{Found, Look, answer, entry};
use crate::{
    fault::{Interrupt, fault},
    read::{self, Reader},
};

/// A single address.
pub(crate) const SINGLE: u8 = 32;

pub(super) async fn send(
    client: &Client,
    trunk: &TrunkSid,
    ip: PublicIpv4,
) -> Result<Answer<StepResult>, exotel::Error> {
    let listed = client.whitelist_ip(trunk, ip).await?;
    Ok(answer(listed, |listed| entry(&listed.id)))
}

pub(super) async fn look<R: Reader>(
    reader: &mut R,
    look: &Look<'_>,
    trunk: &TrunkSid,
    ip: PublicIpv4,
) -> Result<Found, Interrupt<R::Halt>> {
    let client = look.client;
    let listed = read::all(reader, "a trunk's ACL entries", |at| {
        Box::pin(client.whitelisted_ips_page(trunk, at))
    })
    .await?;
    let text = ip.to_string();
    if !listed.items.iter().any(|it| it.ip == text) {
        listed.absent(&text)?;
    }
    let listed = listed.items;
    let same: Vec<WhitelistedIp> = listed.into_iter().filter(|it| it.ip == text).collect();
    if let Some(single) = same.iter().find(|it| it.mask == SINGLE) {
        return Ok(Found::There(entry(&single.id).into()));
    }
    Ok(match same.first() {
        None => Found::Absent,
        Some(range) => Found::Wrong(fault(
            "acl_mask",
            format!(
                "whitelist_ip: trunk {trunk} lets in {ip}/{} (entry {}), a range where the single address {ip}/32 is wanted. Remove that entry in Exotel's dashboard, then run `trunkline retry`",
                range.mask, range.id
            ),
        )),
    })
}
