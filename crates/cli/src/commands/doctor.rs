//! `trunkline doctor`.

use serde::Serialize;
use store::World;

use crate::{
    args::Doctor as Args,
    error::Result,
    exit::Exit,
    output::{Output, counted},
    serving,
    settings::Settings,
    store_place::{self, Place},
};

/// What was looked at, and what was found.
#[derive(Serialize)]
#[serde(tag = "type", rename = "check")]
struct Check {
    name: &'static str,
    ok: bool,
    detail: String,
}

/// What was marked after a restore.
#[derive(Serialize)]
#[serde(tag = "type", rename = "restored")]
struct Restored {
    unfinished: u64,
}

/// Looks at the store and at what senders and endpoints may mean otherwise, or takes note that it was restored.
pub(crate) async fn run(args: &Args, settings: &Settings, output: &mut Output) -> Result<Exit> {
    if args.restored {
        return restored(settings, output).await;
    }
    let place = Place::of_settings(settings)?;
    let kind = match &place {
        Place::Sqlite(_) => "a database file",
        Place::Redis(_) => "a Redis",
    };
    let (ok, detail) = match look(&place, settings).await {
        Ok(found) => (true, format!("{place}, {kind}: {found}")),
        Err(error) => (false, error.to_string()),
    };
    let check = Check {
        name: "store",
        ok,
        detail,
    };
    if ok {
        output.line(format_args!("ok  {}: {}", check.name, check.detail));
    } else {
        output.line(format_args!("BAD {}", check.detail));
    }
    output.record(&check);
    for detail in serving::warnings(&settings.tables) {
        output.line(format_args!("ok  but {detail}"));
        output.record(&Check {
            name: "tables",
            ok: true,
            detail,
        });
    }
    Ok(if ok { Exit::Done } else { Exit::Left })
}

async fn look(place: &Place, settings: &Settings) -> Result<&'static str> {
    let world = place.world(settings).await?;
    if world.is_none() && !place.is_made().await? {
        return Ok("there is nothing in it yet; the first signups make it");
    }
    drop(place.open(settings, world.unwrap_or(World::Live)).await?);
    Ok("it opens")
}

async fn restored(settings: &Settings, output: &mut Output) -> Result<Exit> {
    let (store, _) = store_place::open_existing(settings).await?;
    let unfinished = store.mark_restored().await?;
    output.line(format_args!(
        "{} not finished: what they made is read back at Exotel before anything is written",
        counted(unfinished, "onboarding")
    ));
    output.record(&Restored { unfinished });
    Ok(Exit::Done)
}
