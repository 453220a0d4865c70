-- Lays a chunk of a large batch down where nobody sees it, and keeps its keys for it.
-- ARGV: batch, chunk, first row, world, how long the batch is kept (ms), then id, account, record
-- per row. Answers: state, new, duplicates, then row, obstacle, id or batch per obstacle. While it
-- is busy nothing of the chunk is laid down. Safe to repeat.
local batch, chunk, first, lasts = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[5])
if other_world(ARGV[4]) then return { 'world' } end
if closed() then return { 'closed' } end
local kept = tonumber(call('ZSCORE', K.batches, batch) or 0)
if kept == 1 or (chunk > 0 and kept == 0) then return { 'gone' } end
call('ZADD', K.batches, now + lasts, batch)

local records, ids, accounts, obstacles, own = {}, {}, {}, {}, {}
local seen, names = {}, {}
local duplicates, busy, refused = 0, false, false
for i = 6, #ARGV, 3 do
  local id, account, rest = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local row = first + (i - 6) / 3
  local length = string.byte(rest, 1)
  local digest = string.sub(rest, 2 + length, 17 + length)
  local name = length > 0 and account .. '\0' .. string.sub(rest, 2, 1 + length) or nil
  local what, whose
  if seen[id] then
    what, whose = seen[id] == digest and 'd' or 'c', id
  else
    what, whose = obstacle(id, account, rest, batch, row)
    if not what and name and names[name] then
      what, whose = 'n', names[name]
    end
  end
  if what == 'd' then
    duplicates = duplicates + 1
  elseif what then
    if what == 'b' then busy = true else refused = true end
    obstacles[#obstacles + 1] = row
    obstacles[#obstacles + 1] = what
    obstacles[#obstacles + 1] = whose
  else
    seen[id] = digest
    if name then
      names[name] = id
      own[#own + 1] = name
      own[#own + 1] = id
    end
    ids[#ids + 1] = id
    accounts[#accounts + 1] = account
    records[#records + 1] = id
    records[#records + 1] = 'S' .. struct.pack('>c8I4', batch, row) .. string.rep('\0', 8) .. rest
  end
end

local answer = { busy and 'busy' or refused and 'refused' or 'staged', #ids, duplicates }
for _, value in ipairs(obstacles) do answer[#answer + 1] = value end
-- Refused rows do not keep the others from being laid down, so that all clashes are found.
if not busy and call('LLEN', K.rows) == chunk then
  if #records > 0 then call('HSET', K.onboarding, unpack(records)) end
  if #own > 0 then call('HSET', K.names, unpack(own)) end
  call('RPUSH', K.rows, cmsgpack.pack({ ids, accounts }))
end
return answer
