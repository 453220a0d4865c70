//! Settings of a trunk: only the caller id is documented.

use serde_json::Value;

use super::destinations::Batch;
use super::{Answer, Call, trunk};
use crate::api::views::{ALIAS, SettingView};
use crate::envelope::{self, Item, Refusal};
use crate::fields::e164;
use crate::ids::{PhoneNumber, TrunkSid};
use crate::journal::record::Part;
use crate::world::{Alias, Dates, World};

pub(super) fn set(call: &Call<'_>, world: &mut World, sid: TrunkSid) -> Answer {
    let fields = call.fields()?;
    let trunk = trunk(world, sid)?;
    let mut items = Vec::new();
    for wanted in fields.list("settings")? {
        items.push(match check(wanted) {
            Err(refusal) => Item::failure(refusal),
            Ok(number) => {
                let created = trunk.alias.map_or(call.now, |alias| alias.dates.created);
                let alias = Alias {
                    number,
                    dates: Dates {
                        created,
                        updated: call.now,
                    },
                };
                trunk.alias = Some(alias);
                Item::success(SettingView::new(sid, &alias))
            }
        });
    }
    let batch = Batch::of(&items, false);
    if batch.changed() {
        world.touch(sid, Part::CallerId);
    }
    Ok(envelope::many(call.head, batch.status(), &batch, &items))
}

fn check(wanted: &Value) -> Result<PhoneNumber, Refusal> {
    let text = |name: &str| match wanted.get(name) {
        None | Some(Value::Null) => Err(Refusal::missing(name)),
        Some(value) => value
            .as_str()
            .ok_or_else(|| Refusal::invalid(format!("{name} must be a string"))),
    };
    if text("name")? != ALIAS {
        return Err(Refusal::invalid("Setting name is invalid"));
    }
    e164("value", text("value")?)
}

pub(super) fn list(call: &Call<'_>, world: &mut World, sid: TrunkSid) -> Answer {
    let alias = &trunk(world, sid)?.alias;
    call.page(alias.iter(), |alias| SettingView::new(sid, alias))
}

pub(super) fn delete(call: &Call<'_>, world: &mut World, sid: TrunkSid) -> Answer {
    let name = call
        .query
        .get("name")
        .ok_or_else(|| Refusal::missing("name"))?;
    let alias = &mut trunk(world, sid)?.alias;
    let removed = alias
        .take_if(|_| name == ALIAS)
        .ok_or_else(Refusal::not_found)?;
    world.touch(sid, Part::CallerId);
    Ok(envelope::success(
        call.head,
        SettingView::new(sid, &removed),
    ))
}
