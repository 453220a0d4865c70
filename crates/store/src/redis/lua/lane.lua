-- Lanes: one per account. Fields of the packed record, by position.
local NAME, LIMIT, WINDOW, CONNECTIONS, BURST = 1, 2, 3, 4, 5
-- Whether a worker ever told its limits; what stops it; closed by a 429 until then (ms).
local TOLD, STOPPED, CLOSED = 6, 7, 8
-- The pace: when the next request would be due if all went evenly (ms, with fractions).
local PACE = 9
-- Who waits for the next permit, and until when it is kept for it (ms).
local ASKER, ASKER_UNTIL = 10, 11
-- Onboardings that wait, due or not; that a worker holds; that were begun, wait and are due.
local WAITING, HELD, DUE = 12, 13, 14
-- Permits that are out, as of SWEPT; requests in flight.
local OUT, FLYING = 15, 16
-- How many onboardings were ever accepted.
local TAKEN = 17
-- The groups of workers that serve it, two bytes each; its places in `ready`, one per group.
local GROUPS, PLACES = 18, 19
-- How many of those accepted were looked at by a claim: what comes behind was never begun.
local LOOKED = 20
-- Up to which step permits that came back were counted back; the last segment that has any.
local SWEPT, LAST = 21, 22
-- Of a lane that is stopped: how it is tried again, when next (ms), how often in a row that failed;
-- the onboarding whose holder tries it, and goes on all the same.
local PROBE, PROBE_AT, PROBE_FAILURES, PROBER = 23, 24, 25, 26

-- What stops a lane.
local OPEN, PARKED, OUTAGE = 0, 1, 2
-- How it is tried: not at all, by a read, by the first step of an onboarding.
local READ, CREATE = 1, 2
-- Who asks for a permit to try a lane; else it is an onboarding's id, or nil.
local TRIES = 0

-- Returned permits are counted in steps of 100 ms, rounded up: a sixth of a percent of a minute
-- at most. Permits of requests in flight in steps of a second: they matter only when no answer comes.
local ANSWERED_STEP, IN_FLIGHT_STEP = 100, 1000
-- How long a caller that waits for the lane's next permit has it to itself, on top of the wait.
local RESERVED = 100
-- The longest that an account is closed (ms).
local FARTHEST = 3600000
-- Bytes of a place: group 2, time 6, turn 6, lane 4.
local PLACE = 18
-- A group whose last worker was heard of so long ago (ms) has no claim to lanes any more. A worker asks
-- every few seconds, and one that was away enters again. Not longer, because a worker that takes
-- up an account is of another group from then on, and every group has a place for each lane.
local GROUP_GONE = 300000

local function lane_at(L)
  local lane = lanes[L]
  if lane == nil then
    local packed = call('HGET', K.lane, L)
    lane = packed and cmsgpack.unpack(packed) or false
    lanes[L] = lane
  end
  return lane
end

local function change_lane(L)
  changed[L] = true
  return lane_at(L)
end

-- The lane of an account, made if there is none.
local function lane_of(account)
  local L = numbers[account] or call('HGET', K.account, account)
  if L then
    numbers[account] = L
    return L
  end
  L = be4(call('HINCRBY', K.count, 'lane', 1))
  call('HSET', K.account, account, L)
  numbers[account] = L
  lanes[L] = { account, DEFAULT_LIMITS[1], DEFAULT_LIMITS[2], DEFAULT_LIMITS[3], DEFAULT_LIMITS[4],
    0, 0, 0, 0, '', 0, 0, 0, 0, 0, 0, 0, '', '', 0,
    math.floor(now / ANSWERED_STEP), 0, 0, 0, 0, '' }
  changed[L] = true
  return L
end

-- Permits that are out, by when they come back: counts of three bytes, one per step of 100 ms, in
-- segments of 32 steps. Small ones, because this language looks at every byte of every string.
local STEPS_OF, BYTES = 32, 3

local function out_of(L, segment)
  local field = L .. be4(segment)
  local counts = outs[field]
  if counts == nil then
    counts = call('HGET', K.out, field)
    outs[field] = counts
  end
  return counts, field
end

local function add_out(L, lane, at, n)
  local step = at / ANSWERED_STEP
  if step <= lane[SWEPT] then return end
  local segment = math.floor(step / STEPS_OF)
  local counts, field = out_of(L, segment)
  counts = counts or string.rep('\0', STEPS_OF * BYTES)
  local i = (step % STEPS_OF) * BYTES
  local left = math.max(0, struct.unpack('>I3', counts, i + 1) + n)
  outs[field] = string.sub(counts, 1, i) .. struct.pack('>I3', left) .. string.sub(counts, i + BYTES + 1)
  outs_changed[field] = true
  lane[OUT] = lane[OUT] + n
  if segment > lane[LAST] then lane[LAST] = segment end
end

-- Counts back what has come back, and forgets segments that are over.
local function expire_out(L, lane)
  local step, last = lane[SWEPT] + 1, math.floor(now / ANSWERED_STEP)
  if lane[OUT] == 0 then step = math.max(step, math.min(last, (lane[LAST] + 1) * STEPS_OF)) end
  while step <= last do
    local segment = math.floor(step / STEPS_OF)
    if segment > lane[LAST] then break end
    local counts, field = out_of(L, segment)
    local stop = math.min(last, (segment + 1) * STEPS_OF - 1)
    if counts then
      for at = step, stop do
        lane[OUT] = lane[OUT] - struct.unpack('>I3', counts, (at % STEPS_OF) * BYTES + 1)
      end
      if stop % STEPS_OF == STEPS_OF - 1 then
        outs[field] = false
        outs_changed[field] = true
      end
    end
    step = stop + 1
  end
  -- Never back: a clock that is behind the last one must not count anything back twice.
  lane[SWEPT] = math.max(lane[SWEPT], last)
end

-- When the next permit comes back (ms); nil where none is out.
local function next_back(L, lane)
  local step = lane[SWEPT] + 1
  for segment = math.floor(step / STEPS_OF), lane[LAST] do
    local counts = out_of(L, segment)
    local from = math.max(0, step - segment * STEPS_OF)
    local found = counts and string.find(counts, '[^%z]', from * BYTES + 1)
    if found then
      return (segment * STEPS_OF + math.floor((found - 1) / BYTES)) * ANSWERED_STEP
    end
  end
  return nil
end

-- Requests in flight are members lane, time at which the permit comes back without an answer,
-- serial. A window before that time the request has timed out.
local function expire_flying(L, lane)
  local timed_out = call('ZRANGEBYLEX', K.flying, '[' .. L, '(' .. L .. be6(now + lane[WINDOW] + 1), 'LIMIT', 0, 100)
  for _, member in ipairs(timed_out) do
    call('ZREM', K.flying, member)
    lane[FLYING] = lane[FLYING] - 1
  end
end

-- When there can be a permit (ms), whoever asks.
local function permit_at(L, lane)
  -- After a failover the clock may be another one. Behind the last, nothing is given until it has
  -- caught up; what lies further ahead than any wait was written by a clock that was wrong.
  local at = lane[CLOSED] <= now + FARTHEST and lane[CLOSED] or 0
  if lane[SWEPT] * ANSWERED_STEP > now + 2 * FARTHEST then
    for segment = math.floor(lane[SWEPT] / STEPS_OF), math.min(lane[LAST], math.floor(lane[SWEPT] / STEPS_OF) + 100) do
      local _, field = out_of(L, segment)
      outs[field], outs_changed[field] = false, true
    end
    lane[SWEPT], lane[LAST], lane[OUT] = math.floor(now / ANSWERED_STEP), 0, 0
  end
  local swept = lane[SWEPT] * ANSWERED_STEP
  if swept > now then at = math.max(at, swept) end
  if lane[OUT] >= lane[LIMIT] then
    expire_out(L, lane)
    if lane[OUT] >= lane[LIMIT] then
      local back = next_back(L, lane)
      if back then at = math.max(at, back) else lane[OUT] = 0 end
    end
  end
  if lane[FLYING] >= lane[CONNECTIONS] then
    expire_flying(L, lane)
    if lane[FLYING] >= lane[CONNECTIONS] then
      local first = call('ZRANGEBYLEX', K.flying, '[' .. L, '+', 'LIMIT', 0, 1)[1]
      if first and string.sub(first, 1, 4) == L then
        at = math.max(at, struct.unpack('>I6', first, 5) - lane[WINDOW])
      else
        lane[FLYING] = 0
      end
    end
  end
  local period = lane[WINDOW] / lane[LIMIT]
  lane[PACE] = math.min(lane[PACE], now_exact + lane[WINDOW])
  return math.max(at, math.floor(lane[PACE] - (lane[BURST] - 1) * period))
end

-- Until when the next permit is kept for somebody else (ms).
local function reserved_until(lane, asker)
  if lane[ASKER] == '' or lane[ASKER] == asker then return 0 end
  return lane[ASKER_UNTIL]
end

-- Takes a permit: its serial and when it comes back by itself. Or nil and when there is one (ms),
-- or nil and nil where the account is stopped.
local function take(L, asker, timeout)
  local lane = change_lane(L)
  local at = math.max(permit_at(L, lane), reserved_until(lane, asker))
  if lane[STOPPED] ~= OPEN and asker ~= TRIES and (not asker or asker ~= lane[PROBER]) then
    if asker or lane[STOPPED] == PARKED then return nil, nil end
    -- Where nobody works, whoever asks finds out whether Exotel answers.
    at = math.max(at, lane[PROBE_AT])
  end
  if at > now then return nil, at end
  expire_out(L, lane)
  local serial = call('HINCRBY', K.count, 'serial', 1)
  local expires = up_to_step(now + timeout + lane[WINDOW], IN_FLIGHT_STEP)
  add_out(L, lane, expires, 1)
  call('ZADD', K.flying, 0, L .. be6(expires) .. be6(serial))
  lane[FLYING] = lane[FLYING] + 1
  lane[PACE] = math.max(lane[PACE], now_exact) + lane[WINDOW] / lane[LIMIT]
  if lane[ASKER] == asker then lane[ASKER] = '' end
  return serial, expires
end

-- A permit's request ended. Told twice, or after its timeout, it comes back when it expires.
local function settle(L, serial, expires, answered)
  if call('ZREM', K.flying, L .. be6(expires) .. be6(serial)) == 0 then return end
  local lane = change_lane(L)
  lane[FLYING] = lane[FLYING] - 1
  if answered and expires > now then
    add_out(L, lane, expires, -1)
    add_out(L, lane, up_to_step(now + lane[WINDOW], ANSWERED_STEP), 1)
  end
end

-- Drops groups that no worker is of any more.
local function living_groups(groups)
  if #groups <= 2 then return groups end
  local living = {}
  for i = 1, #groups, 2 do
    local group = string.sub(groups, i, i + 1)
    local seen = call('ZSCORE', K.alive, group)
    if seen and tonumber(seen) > now - GROUP_GONE then living[#living + 1] = group end
  end
  return table.concat(living)
end

-- Gives a lane its place in `ready`. A lane that was served, or whose time moved, goes behind the
-- others that are ready at the same time; else it keeps its turn.
local function place(L, served)
  local lane = change_lane(L)
  local at, due = nil, lane[DUE] > 0 or lane[LOOKED] < lane[TAKEN]
  if lane[GROUPS] ~= '' then
    if lane[STOPPED] == OPEN then
      if due then at = math.max(permit_at(L, lane), reserved_until(lane, nil)) end
    elseif lane[PROBE] == READ or (lane[PROBE] == CREATE and due) then
      at = math.max(permit_at(L, lane), lane[PROBE_AT])
    end
  end
  local places = lane[PLACES]
  local before = #places > 0 and struct.unpack('>I6', places, 3) or nil
  if at and before and not served and #places == #lane[GROUPS] / 2 * PLACE then
    if at == before or (at <= now and before <= now) then return end
  end
  if not at and not before then return end
  for i = 1, #places, PLACE do
    call('ZREM', K.ready, string.sub(places, i, i + PLACE - 1))
  end
  lane[PLACES] = ''
  if not at then return end
  -- Never in the past: what was ready long ago does not go before what is ready now.
  at = math.max(at, now)
  if not before or at < before then wake = true end
  local turn = be6(call('HINCRBY', K.count, 'turn', 1))
  lane[GROUPS] = living_groups(lane[GROUPS])
  for i = 1, #lane[GROUPS], 2 do
    local member = string.sub(lane[GROUPS], i, i + 1) .. be6(at) .. turn .. L
    call('ZADD', K.ready, 0, member)
    lane[PLACES] = lane[PLACES] .. member
  end
end

-- Puts an onboarding that was begun back in its lane, in the order of acceptance.
local function queue(L, seq, id)
  local lane = change_lane(L)
  call('ZADD', K.queue, 0, L .. be6(seq) .. id)
  lane[DUE] = lane[DUE] + 1
end

local function finish()
  for L in pairs(changed) do
    if lanes[L] then call('HSET', K.lane, L, cmsgpack.pack(lanes[L])) end
  end
  for field in pairs(outs_changed) do
    if outs[field] then call('HSET', K.out, field, outs[field]) else call('HDEL', K.out, field) end
  end
  for state, change in pairs(counted) do
    if change ~= 0 then call('HINCRBY', K.count, tostring(state), change) end
  end
  finish_batches()
  -- Beside the keys, under the same tag.
  if wake then call('PUBLISH', (string.gsub(K.count, ':count$', ':wake')), '') end
end
