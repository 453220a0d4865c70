-- What happens to an onboarding, from its first claim or cancel on. Fields by position.
local STATE, EPOCH, SEQ, LANE, SUSPECT, CANCEL, UPDATED = 1, 2, 3, 4, 5, 6, 7
-- Not to be claimed before then (ms); 0 for now.
local WAKE_AT = 8
-- The lease's last write and its answer, so that its repeat is answered the same.
local WRITE, ANSWER = 9, 10
local FAULT, FAULT_STEP = 11, 12
-- How long a request of the holder may take (ms).
local TIMEOUT = 13
-- The steps' records, JSON each; '' for one that nothing is known of.
local STEPS = 14
-- The process that holds it. A server that forgot a claim hands the epoch out twice; not to the same.
local HOLDER = 15

-- How many ids a segment of an order has, and the bytes of an id. Few, because this language looks
-- at every byte of every string that it makes.
local SEGMENT, ID = 16, 16

-- The entry of an accepted onboarding: its place in the order of acceptance, when, its lane, its
-- place in that. Of one that is only laid down: S, its batch, its row.
local function entry_of(id)
  local entry = call('HGET', K.entry, id)
  if not entry or #entry ~= 20 then return nil end
  return struct.unpack('>I6I6c4I4', entry)
end

local function laid_down_by(entry)
  if entry and #entry == 13 then return struct.unpack('>c8I4', entry, 2) end
end

-- A trunk name that a person chose comes first in a record; '' where nobody did.
local function name_in(record)
  return string.sub(record, 2, 1 + string.byte(record, 1))
end

-- The number of an onboarding, in seven bytes, comes behind the name and the digest.
local function number_in(record)
  local length = string.byte(record, 1)
  return string.sub(record, 18 + length, 24 + length)
end

-- Gives a number to an onboarding, if nobody has it; else says who does, or '' where it is its own.
local function take_number(id, number)
  local holder = call('HGET', K.numbers, number)
  if holder == id then return '' end
  -- A server that lost what came last may have kept this alone.
  if holder and call('HEXISTS', K.entry, holder) == 1 then return holder end
  call('HSET', K.numbers, number, id)
  return ''
end

-- An onboarding was cancelled, or leaves: its number is free, if it had it.
local function free_number(id, record)
  if not record then return end
  local number = number_in(record)
  if call('HGET', K.numbers, number) == id then call('HDEL', K.numbers, number) end
end

local function progress_of(id)
  local packed = call('HGET', K.progress, id)
  return packed and cmsgpack.unpack(packed) or nil
end

local function save_progress(id, progress)
  progress[UPDATED] = now
  call('HSET', K.progress, id, cmsgpack.pack(progress))
end

local function fresh_progress(seq, L)
  return { QUEUED, 0, seq, L, 0, 0, now, 0, 0, '', '', -1, 0, {}, '' }
end

-- Whether a step's record says that it is done.
local function is_done(record)
  return record and string.find(record, '"state":"done"', 1, true) ~= nil
end

-- Moves an onboarding from one state to another in the counts and in its lane's.
local function move(progress, state)
  local lane = change_lane(progress[LANE])
  local before = progress[STATE]
  count(before, -1)
  count(state, 1)
  if before == QUEUED then lane[WAITING] = lane[WAITING] - 1 end
  if before == RUNNING then lane[HELD] = lane[HELD] - 1 end
  if state == QUEUED then lane[WAITING] = lane[WAITING] + 1 end
  if state == RUNNING then lane[HELD] = lane[HELD] + 1 end
  progress[STATE] = state
end

-- Puts an onboarding whose state is queued into line, or among the delayed.
local function line_up(id, progress)
  if progress[WAKE_AT] > now then
    call('ZADD', K.delayed, progress[WAKE_AT], progress[LANE] .. be6(progress[SEQ]) .. id)
    return
  end
  progress[WAKE_AT] = 0
  queue(progress[LANE], progress[SEQ], id)
end

-- Ends a lease whose holder vanished: queued again in doubt. One that a person cancelled is kept
-- for the caller, `holder`, for a while, to say in its journal what is not known; `true` then.
local function give_back_in_doubt(id, progress, holder)
  if progress[CANCEL] == 1 then
    progress[EPOCH] = progress[EPOCH] + 1
    progress[WRITE], progress[ANSWER] = 0, ''
    progress[HOLDER] = holder
    call('ZADD', K.leases, now + 30000, id)
    save_progress(id, progress)
    return true
  end
  call('ZREM', K.leases, id)
  progress[SUSPECT] = 1
  progress[WAKE_AT] = 0
  move(progress, QUEUED)
  line_up(id, progress)
  save_progress(id, progress)
  place(progress[LANE], false)
  return false
end

-- Appends what a claimer has to know of an onboarding to an answer. One that is `begun` now takes its
-- number, or the claimer is told who has it.
local function hand_out(answer, id, epoch, suspect, serial, expires, packed, begun)
  answer[#answer + 1] = id
  answer[#answer + 1] = epoch
  answer[#answer + 1] = suspect
  answer[#answer + 1] = serial
  answer[#answer + 1] = expires
  answer[#answer + 1] = packed
  local record = call('HGET', K.onboarding, id) or ''
  answer[#answer + 1] = record
  -- How long ago it was accepted; only read-backs need it.
  local _, accepted = nil, nil
  if suspect == 1 then _, accepted = entry_of(id) end
  answer[#answer + 1] = accepted and math.max(0, now - accepted) or 0
  answer[#answer + 1] = begun and record ~= '' and take_number(id, number_in(record)) or ''
end
