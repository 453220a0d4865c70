-- Taking signups in.

-- The digest of a signup's content comes behind the name in its record.
local function digest_in(record)
  local length = string.byte(record, 1)
  return string.sub(record, 2 + length, 17 + length)
end

-- What stands in a row's way. Nothing: it is new. Else what, and of which onboarding.
--   'd' the same signup is there · 'c' another content has the key · 'n' the trunk name is taken
--   'b' another batch that is not decided yet has the key or the name; then of which batch
-- `own` and `row` say which staged records are the asker's, and which row of it.
local function obstacle(id, account, record, own, row)
  local entry = call('HGET', K.entry, id)
  if entry then
    local batch, nth = laid_down_by(entry)
    if batch == own and nth == row then return nil end
    if batch and batch ~= own then return 'b', batch end
    return digest_in(call('HGET', K.onboarding, id)) == digest_in(record) and 'd' or 'c', id
  end
  local name = name_in(record)
  if name == '' then return nil end
  local taken = call('HGET', K.names, account .. '\0' .. name)
  if not taken or taken == id then return nil end
  local batch = laid_down_by(call('HGET', K.entry, taken))
  if batch and batch ~= own then return 'b', batch end
  return 'n', taken
end

-- Gives onboardings that are accepted their numbers, where nobody has them. Answers those whose number
-- another one has, each followed by that one.
local function take_numbers(ids, numbers)
  local holders, mine, set, in_use = call('HMGET', K.numbers, unpack(numbers)), {}, {}, {}
  for i, number in ipairs(numbers) do
    local holder = holders[i] or mine[number]
    local to = holder and in_use or set
    to[#to + 1] = holder and ids[i] or number
    to[#to + 1] = holder or ids[i]
    if not holder then mine[number] = ids[i] end
  end
  if #set > 0 then call('HSET', K.numbers, unpack(set)) end
  return in_use
end

-- Enters onboardings, whose records are there, with the sequence numbers from `seq` on. `ids`,
-- `accounts` and `numbers` are of the same length, at most some hundred. Answers as `take_numbers`.
local function enter(seq, created, ids, accounts, numbers)
  local entries, of_lane = {}, {}
  local at = be6(created)
  for i, id in ipairs(ids) do
    local L = lane_of(accounts[i])
    local lane = change_lane(L)
    local mine = of_lane[L]
    if not mine then
      mine = { from = lane[TAKEN], ids = {} }
      of_lane[L] = mine
    end
    mine.ids[#mine.ids + 1] = id
    entries[2 * i - 1] = id
    entries[2 * i] = be6(seq + i - 1) .. at .. L .. be4(lane[TAKEN])
    lane[TAKEN] = lane[TAKEN] + 1
    lane[WAITING] = lane[WAITING] + 1
  end
  -- A chunk is bounded by the caller, far below what `unpack` takes.
  call('HSET', K.entry, unpack(entries))
  write_order(K.order, '', seq, ids)
  for L, mine in pairs(of_lane) do
    write_order(K.lane_order, L, mine.from, mine.ids)
    place(L, false)
  end
  count(QUEUED, #ids)
  return take_numbers(ids, numbers)
end

-- What a script does with rows of id, account and record: those that are new, what stands in the
-- others' way. `own` and `first` are the batch and its first row here, where it is laid down.
local function look_at(args, from, own, first)
  local found = { ids = {}, accounts = {}, numbers = {}, rows = {}, records = {}, names = {}, obstacles = {}, duplicates = 0 }
  local seen, taken = {}, {}
  for i = from, #args, 3 do
    local id, account, record = args[i], args[i + 1], args[i + 2]
    local row = first + (i - from) / 3
    local name = name_in(record)
    name = name ~= '' and account .. '\0' .. name or nil
    local what, whose
    if seen[id] then
      what, whose = seen[id] == digest_in(record) and 'd' or 'c', id
    else
      what, whose = obstacle(id, account, record, own, row)
      if not what and name and taken[name] then
        what, whose = 'n', taken[name]
      end
    end
    if what == 'd' then
      found.duplicates = found.duplicates + 1
    elseif what then
      if what == 'b' then found.busy = true else found.refused = true end
      local obstacles = found.obstacles
      obstacles[#obstacles + 1] = row
      obstacles[#obstacles + 1] = what
      obstacles[#obstacles + 1] = whose
    else
      seen[id] = digest_in(record)
      if name then
        taken[name] = id
        found.names[#found.names + 1] = name
        found.names[#found.names + 1] = id
      end
      found.ids[#found.ids + 1] = id
      found.accounts[#found.accounts + 1] = account
      found.numbers[#found.numbers + 1] = number_in(record)
      found.rows[#found.rows + 1] = row
      found.records[#found.records + 1] = id
      found.records[#found.records + 1] = record
    end
  end
  return found
end

local function verdict_on(found, state)
  if found.refused then state = 'refused' end
  if found.busy then state = 'busy' end
  local verdict = { state, #found.ids, found.duplicates, 0 }
  for _, value in ipairs(found.obstacles) do verdict[#verdict + 1] = value end
  return verdict
end

-- Keeps the records and the chosen names.
local function keep(found)
  if #found.records > 0 then call('HSET', K.onboarding, unpack(found.records)) end
  if #found.names > 0 then call('HSET', K.names, unpack(found.names)) end
end
