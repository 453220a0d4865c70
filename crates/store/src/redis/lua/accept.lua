-- Accepts a small batch at once, or refuses it. ARGV: world, where it comes from behind `=` or '',
-- then id, account, record per row.
-- KEYS' batch holds the answer for a while, for a caller whose answer was lost.
-- Answers: state, accepted, duplicates, the batch's number or 0, then row, obstacle, id or batch per
-- obstacle; of an accepted batch the obstacles are `u`: another onboarding has the number.
local before = call('GET', K.batch)
if before then return cmsgpack.unpack(before) end
if other_world(ARGV[1]) then return { 'world' } end
if closed() then return { 'closed' } end

local found = look_at(ARGV, 3, nil, 0)
local verdict = verdict_on(found, 'accepted')
if found.busy or found.refused then return verdict end
local new = #found.ids
if new > 0 then
  keep(found)
  local last = call('HINCRBY', K.count, 'seq', new)
  call('HSETNX', K.meta, 'world', ARGV[1])
  local in_use = enter(last - new + 1, now, found.ids, found.accounts, found.numbers)
  verdict[4] = keep_batch(ARGV[2], last - new + 1, new, found.duplicates)
  local rows = {}
  for i, id in ipairs(found.ids) do rows[id] = found.rows[i] end
  for i = 1, #in_use, 2 do
    verdict[#verdict + 1] = rows[in_use[i]]
    verdict[#verdict + 1] = 'u'
    verdict[#verdict + 1] = in_use[i + 1]
  end
  finish()
end
call('SET', K.batch, cmsgpack.pack(verdict), 'PX', 60000)
return verdict
