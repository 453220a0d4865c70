-- What all functions of the library share. It is loaded once, so what belongs to one call is set
-- anew by `begin`: the call's keys by name, its time, and what it has read and changed.
local call, K
-- Fractions of a millisecond matter to the pacing of accounts with raised limits alone.
local now_exact, now
-- Whether a claimer that waits has to hear of what this call did.
local wake
-- Changes of the counts of states, written once at the end.
local counted
-- Lanes and their permits, as read and as changed; lanes' numbers by account.
local lanes, changed, outs, outs_changed, numbers
-- The batch that a place was last looked up in, first and last place; what is counted of batches and
-- written once at the end.
local batch_first, batch_last, batch_counts, batch_left

local function begin(keys)
  call, K = redis.call, keys
  local clock = call('TIME')
  now_exact = clock[1] * 1000 + clock[2] / 1000
  now = math.floor(now_exact)
  wake, counted = false, {}
  lanes, changed, outs, outs_changed, numbers = {}, {}, {}, {}, {}
  batch_first, batch_last, batch_counts, batch_left = 1, 0, {}, {}
end

-- States as they are stored. Blocked has none: it is queued in a lane whose account is parked.
local QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELLED = 0, 1, 2, 3, 5

-- Numbers in members and fields are big-endian, so that their order as bytes is their order.
local function be4(n) return struct.pack('>I4', n) end
local function be6(n) return struct.pack('>I6', n) end

local function count(state, change)
  counted[state] = (counted[state] or 0) + change
end

local function up_to_step(ms, step)
  return (math.floor(ms / step) + 1) * step
end

-- Whether the store is being moved, or is not there any more: then nothing is taken in, handed out
-- or changed.
local function closed()
  local meta = call('HMGET', K.meta, 'closed', 'made')
  return meta[1] == '1' or not meta[2]
end

-- A store is of one world, which the first accepted batch decides.
local function other_world(world)
  local bound = call('HGET', K.meta, 'world')
  return bound and bound ~= world
end
