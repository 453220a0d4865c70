-- Hands out onboardings of lanes that have allowance, in turn. ARGV: group, most claims, lease
-- (ms), a request's longest time (ms), how long what ended is kept (ms; 0: for good), the world, the
-- process that claims, the server that it is connected to.
-- Answers: state, ms until there may be more (-1: not before something changes), a batch to roll
-- forward or take away or '', the time, the stopped accounts that are to be tried (see `probe`), then what
-- `hand_out` says per claim. An expiry of 0 marks a cancelled onboarding whose holder vanished: the
-- caller says in its journal what is not known.
local group, most, lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local timeout, keep = tonumber(ARGV[4]), tonumber(ARGV[5])
local holder, server = ARGV[7], ARGV[8]
local SWEEP = 50
-- Most onboardings that are looked at without being handed out.
local LOOKS = 500
-- For so long (ms) after a restart or a failover, which may have lost a claim and what it did,
-- everything is handed out in doubt.
local DOUBT = 120000

local meta = call('HMGET', K.meta, 'closed', 'made', 'world', 'server', 'doubt')
if meta[1] == '1' or not meta[2] then return { 'closed' } end
if meta[3] and meta[3] ~= ARGV[6] then return { 'world' } end
local doubt = tonumber(meta[5] or 0)
if meta[4] ~= server then
  if meta[4] then doubt = now + DOUBT end
  call('HSET', K.meta, 'server', server, 'doubt', doubt)
end

local seen = tonumber(call('ZSCORE', K.alive, group) or 0)
-- Lanes forget a group that was away for so long.
if seen <= now - GROUP_GONE then return { 'register' } end
if seen < now - 60000 then call('ZADD', K.alive, now, group) end

local tried = {}
local answer = { 'claims', -1, '', now, tried }
local more = false

-- Delayed onboardings whose time has come.
local due = call('ZRANGEBYSCORE', K.delayed, '-inf', now, 'LIMIT', 0, SWEEP)
if #due == 0 then
  -- Nothing waits for so long: a clock that was wrong wrote it.
  due = call('ZRANGEBYSCORE', K.delayed, now + 2 * FARTHEST, '+inf', 'LIMIT', 0, SWEEP)
end
for _, member in ipairs(due) do
  local L, id = string.sub(member, 1, 4), string.sub(member, 11)
  call('ZREM', K.delayed, member)
  local progress = progress_of(id)
  if progress then
    progress[WAKE_AT] = 0
    call('HSET', K.progress, id, cmsgpack.pack(progress))
    line_up(id, progress)
    place(L, false)
  end
end

-- Leases that ended.
local ended = call('ZRANGEBYSCORE', K.leases, '-inf', now, 'LIMIT', 0, SWEEP)
if #ended == 0 then
  ended = call('ZRANGEBYSCORE', K.leases, now + 2 * FARTHEST, '+inf', 'LIMIT', 0, SWEEP)
end
for _, id in ipairs(ended) do
  local progress = progress_of(id)
  if not progress or progress[STATE] ~= RUNNING then
    call('ZREM', K.leases, id)
  else
    local packed = call('HGET', K.progress, id)
    if give_back_in_doubt(id, progress, holder) then
      hand_out(answer, id, progress[EPOCH], 1, 0, 0, packed)
    end
  end
end
if #due == SWEEP or #ended == SWEEP then more = true end

-- Onboardings that ended long ago.
if keep > 0 then
  for _ = 1, 20 do
    local first = call('LINDEX', K.done, 0)
    if not first then break end
    local at, id = struct.unpack('>I6c16', first)
    if at + keep > now then break end
    call('LPOP', K.done)
    local progress = progress_of(id)
    local state = progress and progress[STATE]
    if progress and progress[UPDATED] <= at and (state == SUCCEEDED or state == CANCELLED) then
      local seq, _, L, nth = entry_of(id)
      local record = call('HGET', K.onboarding, id)
      local name = name_in(record)
      free_number(id, record)
      call('HDEL', K.onboarding, id)
      call('HDEL', K.entry, id)
      call('HDEL', K.progress, id)
      call('ZREM', K.late, id)
      if state == CANCELLED then call('ZREM', K.cancelled, id) end
      if name ~= '' then call('HDEL', K.names, lane_at(L)[NAME] .. '\0' .. name) end
      leave_order(K.order, '', seq)
      leave_order(K.lane_order, L, nth)
      count(state, -1)
      count_left(seq, state)
    end
  end
end

local looks = 0

-- The first of a lane that was never begun.
local function fresh_of(L, lane)
  while looks < LOOKS do
    if lane[LOOKED] >= lane[TAKEN] then return nil end
    looks = looks + 1
    local field, offset = segment_of(L, lane[LOOKED])
    local id = string.sub(call('HGET', K.lane_order, field) or '', offset + 1, offset + ID)
    -- One that was cancelled before it began has a progress, and one that has left has no id.
    if id ~= '' and id ~= string.rep('\0', ID) and call('HEXISTS', K.progress, id) == 0 then return id, nil end
    lane[LOOKED] = lane[LOOKED] + 1
  end
  return nil
end

-- What comes next in a lane, and its member of the queue if it was begun before. That goes first.
local function head_of(L, lane)
  if lane[DUE] > 0 then
    local member = call('ZRANGEBYLEX', K.queue, '[' .. L, '+', 'LIMIT', 0, 1)[1]
    if member and string.sub(member, 1, 4) == L then return string.sub(member, 11), member end
    lane[DUE] = 0
  end
  return fresh_of(L, lane)
end

-- The same of those that have no trunk yet, and whether any waits at all.
local function creator_of(L, lane)
  local any = false
  if lane[DUE] > 0 then
    for _, member in ipairs(call('ZRANGEBYLEX', K.queue, '[' .. L, '+', 'LIMIT', 0, SWEEP)) do
      if string.sub(member, 1, 4) ~= L then break end
      any = true
      local id = string.sub(member, 11)
      if not is_done(progress_of(id)[STEPS][1]) then return id, member, true end
    end
    if not any then lane[DUE] = 0 end
  end
  local id = fresh_of(L, lane)
  return id, nil, any or id ~= nil
end

local claimed = 0

-- Hands out an onboarding with a permit.
local function give(L, lane, id, member, serial, expires)
  if member then
    call('ZREM', K.queue, member)
    lane[DUE] = lane[DUE] - 1
  else
    lane[LOOKED] = lane[LOOKED] + 1
  end
  local packed = call('HGET', K.progress, id)
  local progress = packed and cmsgpack.unpack(packed) or fresh_progress(entry_of(id), L)
  progress[EPOCH] = progress[EPOCH] + 1
  progress[TIMEOUT] = timeout
  progress[WRITE], progress[ANSWER], progress[HOLDER] = 0, '', holder
  -- What was written since then has lost nothing.
  local older = not packed or progress[UPDATED] <= doubt - DOUBT
  local suspect = now < doubt and older and 1 or progress[SUSPECT]
  progress[SUSPECT] = 0
  move(progress, RUNNING)
  save_progress(id, progress)
  call('ZADD', K.leases, now + lease, id)
  hand_out(answer, id, progress[EPOCH], suspect, serial, expires, packed or '', true)
  claimed = claimed + 1
end

-- For so many of a request's longest times a probe is nobody else's: a read is one request, a
-- `create_trunk` may have to be looked for in a list first.
local HOLDS = { [READ] = 2, [CREATE] = 10 }

-- Hands out that a stopped account is to be tried: its name, the onboarding that tries it or '', how,
-- what stopped it, for how long (ms), how often that failed in a row, the token, and the permit's serial
-- and expiry where no onboarding has it.
local function probe(L, lane)
  local id, member, any
  if lane[PROBE] == CREATE then
    id, member, any = creator_of(L, lane)
    if not any then return end
  end
  local serial, expires = take(L, TRIES, timeout)
  if not serial then return end
  local _, since = stopped_why(L, lane)
  lane[PROBE_AT] = now + HOLDS[lane[PROBE]] * math.max(1, timeout)
  lane[PROBER] = id or ''
  local told = { lane[NAME], lane[PROBER], lane[PROBE], lane[STOPPED], now - since, lane[PROBE_FAILURES],
    lane[PROBE_AT], serial, expires }
  for _, value in ipairs(told) do tried[#tried + 1] = value end
  if id then give(L, lane, id, member, serial, expires) end
end

-- Lanes in turn. A lane of which nothing is due costs a look, so looks are bounded too.
local turns = 0
local last = '(' .. group .. be6(now + 1)
while claimed < most do
  local member = call('ZRANGEBYLEX', K.ready, '[' .. group, last, 'LIMIT', 0, 1)[1]
  if not member then break end
  turns = turns + 1
  if turns > most + SWEEP or looks >= LOOKS then
    more = true
    break
  end
  local L = string.sub(member, 15, 18)
  local lane = change_lane(L)
  if lane[STOPPED] ~= OPEN then
    probe(L, lane)
  else
    local id, member = head_of(L, lane)
    if id then
      local serial, expires = take(L, nil, timeout)
      if serial then give(L, lane, id, member, serial, expires) end
    end
  end
  place(L, true)
end

local first = call('ZRANGEBYLEX', K.ready, '[' .. group, '(' .. group .. '\255', 'LIMIT', 0, 1)[1]
if first and struct.unpack('>I6', first, 3) > now + 2 * FARTHEST then
  place(string.sub(first, 15, 18), true)
  more = true
end
if more or claimed == most then
  answer[2] = 0
else
  local at = nil
  if first then at = struct.unpack('>I6', first, 3) end
  for _, key in ipairs({ K.delayed, K.leases, K.batches }) do
    local next = call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
    if next then at = math.min(at or math.huge, tonumber(next)) end
  end
  if at then answer[2] = math.max(0, at - now) end
end

-- Somebody who took signups in may have vanished on the way: then nothing of it was entered for a
-- while. Until it is, there is more to come.
local batch = call('LINDEX', K.committed, 0)
if batch then
  local left = tonumber(call('HGET', K.count, 'entered:' .. batch) or 0) + 1000 - now
  if left <= 0 then answer[3] = batch end
  left = math.max(left, 20)
  if answer[2] < 0 or answer[2] > left then answer[2] = left end
end
if answer[3] == '' then
  answer[3] = call('ZRANGEBYSCORE', K.batches, '-inf', now, 'LIMIT', 0, 1)[1] or ''
end
finish()
return answer
