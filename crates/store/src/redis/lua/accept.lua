-- Accepts a small batch at once, or refuses it. ARGV: world, then id, account, record per row.
-- KEYS' batch holds the answer for a while, for a caller whose answer was lost.
-- Answers: state, accepted, duplicates, then row, obstacle, id or batch per obstacle.
local before = call('GET', K.batch)
if before then return cmsgpack.unpack(before) end
if other_world(ARGV[1]) then return { 'world' } end
if closed() then return { 'closed' } end

local ids, accounts, rests, obstacles = {}, {}, {}, {}
local seen, names = {}, {}
local duplicates, busy, refused = 0, nil, false
for i = 2, #ARGV, 3 do
  local id, account, rest = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local row = (i - 2) / 3
  local length = string.byte(rest, 1)
  local digest = string.sub(rest, 2 + length, 17 + length)
  local name = length > 0 and account .. '\0' .. string.sub(rest, 2, 1 + length) or nil
  local what, whose
  if seen[id] then
    what, whose = seen[id] == digest and 'd' or 'c', id
  else
    what, whose = obstacle(id, account, rest, nil, row)
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
    if name then names[name] = id end
    ids[#ids + 1] = id
    accounts[#accounts + 1] = account
    rests[#rests + 1] = rest
  end
end

local answer = { 'accepted', #ids, duplicates }
if busy or refused then
  answer = { busy and 'busy' or 'refused', 0, 0 }
  for _, value in ipairs(obstacles) do answer[#answer + 1] = value end
  return answer
end
if #ids > 0 then
  local last = call('HINCRBY', K.count, 'seq', #ids)
  call('HSETNX', K.meta, 'world', ARGV[1])
  enter(last - #ids + 1, now, ids, accounts, rests)
  finish()
end
call('SET', K.batch, cmsgpack.pack(answer), 'PX', 30000)
return answer
