//! Phone numbers of a trunk.

use super::{Answer, Call, position, trunk};
use crate::api::views::NumberView;
use crate::envelope::{self, Refusal};
use crate::ids::{Id, TrunkSid};
use crate::journal::record::Part;
use crate::world::{self, NumberMapping, World};

pub(super) fn create(call: &Call<'_>, world: &mut World, sid: TrunkSid) -> Answer {
    let fields = call.fields()?;
    let number = fields.phone_number("phone_number")?;
    let mode = fields.mode()?;
    if world.trunk_of_number(number).is_some() {
        // The text names the trunk of the request, not the one that has the number: so does Exotel.
        return Err(Refusal::duplicate(format!(
            "Unable to create DidTrunkMapping with TrunkSid {sid}"
        )));
    }
    let mapping = NumberMapping {
        id: world.next_number_id(),
        number,
        mode,
        dates: call.new_dates(),
    };
    let reply = envelope::success(call.head, NumberView::new(sid, &mapping));
    world.touch(sid, Part::Number(mapping.id));
    world.map_number(sid, number);
    world::push(&mut trunk(world, sid)?.numbers, mapping);
    Ok(reply)
}

pub(super) fn list(call: &Call<'_>, world: &mut World, sid: TrunkSid) -> Answer {
    let entries = &trunk(world, sid)?.numbers;
    call.page(entries.iter().rev(), |entry| NumberView::new(sid, entry))
}

pub(super) fn update(call: &Call<'_>, world: &mut World, sid: TrunkSid, id: Id) -> Answer {
    let entries = &mut trunk(world, sid)?.numbers;
    let at = position(entries, id, |entry| entry.id)?;
    let entry = &mut entries[at];
    let fields = call.fields()?;
    if fields.phone_number("phone_number")? != entry.number {
        return Err(Refusal::invalid("phone_number does not match the id"));
    }
    entry.mode = Some(fields.mode()?.ok_or_else(|| Refusal::missing("mode"))?);
    entry.dates.updated = call.now;
    let reply = envelope::success(call.head, NumberView::new(sid, entry));
    world.touch(sid, Part::Number(id));
    Ok(reply)
}

pub(super) fn delete(call: &Call<'_>, world: &mut World, sid: TrunkSid) -> Answer {
    let id = call.id()?;
    let entries = &mut trunk(world, sid)?.numbers;
    let removed = entries.remove(position(entries, id, |entry| entry.id)?);
    world.touch(sid, Part::Number(id));
    world.unmap_number(removed.number);
    Ok(envelope::success(call.head, NumberView::new(sid, &removed)))
}
