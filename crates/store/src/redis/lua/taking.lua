-- Taking signups in. A row is an id, its account, and its record without the header.
local HEADER = 21

-- The digest of an accepted or staged signup's content.
local function digest_of(record)
  local length = string.byte(record, HEADER + 1)
  return string.sub(record, HEADER + 2 + length, HEADER + 17 + length)
end

local function name_of(record)
  local length = string.byte(record, HEADER + 1)
  return string.sub(record, HEADER + 2, HEADER + 1 + length)
end

-- What stands in a row's way. Nothing: it is new. Else what, and of which onboarding.
--   'd' the same signup is there · 'c' another content has the key · 'n' the trunk name is taken
--   'b' another batch that is not decided yet has the key or the name; then of which batch
-- `own` and `row` say which staged records are the asker's, and which row of it.
local function obstacle(id, account, rest, own, row)
  local length = string.byte(rest, 1)
  local name = string.sub(rest, 2, 1 + length)
  local digest = string.sub(rest, 2 + length, 17 + length)
  local there = call('HGET', K.onboarding, id)
  if there then
    local batch, nth = staged_by(there)
    if batch == own and nth == row then return nil end
    if batch and batch ~= own then return 'b', batch end
    return digest_of(there) == digest and 'd' or 'c', id
  end
  if length == 0 then return nil end
  local taken = call('HGET', K.names, account .. '\0' .. name)
  if not taken or taken == id then return nil end
  local owner = call('HGET', K.onboarding, taken)
  local batch = owner and staged_by(owner)
  if batch and batch ~= own then return 'b', batch end
  return 'n', taken
end

-- Enters rows that are certainly new, with the sequence numbers from `seq` on. `ids`, `accounts`
-- and `rests` are of the same length, at most some hundred.
local function enter(seq, created, ids, accounts, rests)
  local records, members, of_lane = {}, {}, {}
  for i, id in ipairs(ids) do
    local L = lane_of(accounts[i])
    local lane = change_lane(L)
    local rest = rests[i]
    local mine = of_lane[L]
    if not mine then
      mine = { from = lane[TAKEN], ids = {} }
      of_lane[L] = mine
    end
    mine.ids[#mine.ids + 1] = id
    records[#records + 1] = id
    records[#records + 1] = 'C' .. be6(seq) .. be6(created) .. L .. be4(lane[TAKEN]) .. rest
    members[#members + 1] = 0
    members[#members + 1] = L .. '1' .. be6(seq) .. id
    local length = string.byte(rest, 1)
    if length > 0 then
      call('HSET', K.names, accounts[i] .. '\0' .. string.sub(rest, 2, 1 + length), id)
    end
    lane[TAKEN] = lane[TAKEN] + 1
    lane[WAITING] = lane[WAITING] + 1
    lane[DUE] = lane[DUE] + 1
    seq = seq + 1
  end
  -- A chunk is bounded by the caller, far below what `unpack` takes.
  call('HSET', K.onboarding, unpack(records))
  call('ZADD', K.queue, unpack(members))
  write_order(K.order, '', seq - #ids, ids)
  for L, mine in pairs(of_lane) do
    write_order(K.lane_order, L, mine.from, mine.ids)
    place(L, false)
  end
  count(QUEUED, #ids)
end
