-- Enters the next chunk of a committed batch. Anybody may call it, any number of times. ARGV:
-- batch. Answers how many chunks are left, then those whose number another onboarding has, each followed
-- by that one.
local batch = ARGV[1]
local applied = tonumber(call('HGET', K.batch, 'applied') or -1)
if applied < 0 then
  call('LREM', K.committed, 1, batch)
  return { 0 }
end
local answer = { 0 }
local packed = call('LINDEX', K.rows, applied)
if packed then
  local rows = cmsgpack.unpack(packed)
  local ids, accounts, numbers = rows[1], rows[2], rows[3]
  local seq = tonumber(call('HGET', K.batch, 'seq'))
  local created = tonumber(call('HGET', K.batch, 'created'))
  if #ids > 0 then
    for _, id in ipairs(enter(seq, created, ids, accounts, numbers)) do answer[#answer + 1] = id end
  end
  call('HSET', K.batch, 'applied', applied + 1, 'seq', seq + #ids)
  call('HSET', K.count, 'entered:' .. batch, now)
end
local left = call('LLEN', K.rows) - applied - 1
if left <= 0 then
  call('DEL', K.rows)
  call('HSET', K.batch, 'applied', -1)
  -- Kept for a caller whose answer was lost.
  call('PEXPIRE', K.batch, 60000)
  call('LREM', K.committed, 1, batch)
  call('HDEL', K.count, 'entered:' .. batch)
  left = 0
end
finish()
answer[1] = left
return answer
