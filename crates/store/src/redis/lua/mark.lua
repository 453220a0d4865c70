-- Changes the store's mark of a move. ARGV: the mark that the caller saw or '', the new one,
-- whether the store is closed from now on, and what has to be true: `idle` (nobody holds or takes
-- in anything), `empty` (nothing was ever taken in) or '', and the process that asks.
-- Answers `done`, `changed`, `filled`, or `busy` and, as `claim` does, cancelled onboardings.
if (call('HGET', K.meta, 'mark') or '') ~= ARGV[1] then return { 'changed' } end
if ARGV[4] == 'idle' then
  -- Whoever held what has ended is gone.
  local answer = { 'busy' }
  for _, id in ipairs(call('ZRANGEBYSCORE', K.leases, '-inf', now, 'LIMIT', 0, 100)) do
    local packed = call('HGET', K.progress, id)
    local progress = packed and cmsgpack.unpack(packed)
    if not progress or progress[STATE] ~= RUNNING then
      call('ZREM', K.leases, id)
    elseif give_back_in_doubt(id, progress, ARGV[5]) then
      hand_out(answer, id, progress[EPOCH], 1, 0, 0, packed)
    end
  end
  finish()
  if call('ZCARD', K.leases) > 0 or call('LLEN', K.committed) > 0 then return answer end
end
if ARGV[4] == 'empty' and (call('HLEN', K.entry) > 0 or call('ZCARD', K.batches) > 0) then
  return { 'filled' }
end
call('HSET', K.meta, 'mark', ARGV[2], 'closed', ARGV[3])
return { 'done' }
