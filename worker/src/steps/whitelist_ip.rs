//! Puts one source address on the trunk's ACL.
//!
//! - **Effect**: `POST trunks/{sid}/whitelisted-ips`, always with mask 32: Exotel supports only
//!   single addresses for voice-AI trunks (its guides).
//! - **Repeat**: a duplicate, whatever the mask of what is there; the list tells the mask.
//! - **Cost**: one request; reading back one.

use exotel::{Answer, Client, WhitelistedIp};
use onboarding::{PublicIpv4, StepResult, TrunkSid};

use super::{Found, answer, entry};
use crate::{
    execute::{Halt, Run},
    fault::{Interrupt, fault},
    read::{self, Request},
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

pub(super) async fn probe(
    run: &mut Run<'_>,
    trunk: &TrunkSid,
    ip: PublicIpv4,
) -> Result<Found, Interrupt<Halt>> {
    let client = run.client;
    let what = "a trunk's ACL entries";
    let page = |at| -> Request<'_, _> { Box::pin(client.whitelisted_ips_page(trunk, at)) };
    let (listed, unreadable) = read::all(run, what, page).await?;
    let text = ip.to_string();
    let same: Vec<WhitelistedIp> = listed.into_iter().filter(|it| it.ip == text).collect();
    if let Some(single) = same.iter().find(|it| it.mask == SINGLE) {
        return Ok(Found::There(entry(&single.id)));
    }
    if same.is_empty() {
        read::absent(what, &unreadable, &text)?;
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
