-- Changes the store's mark of a move. ARGV: the mark that the caller saw or '', the new one,
-- whether the store is closed from now on, and what has to be true: `idle` (nobody holds or takes
-- in anything), `empty` (nothing was ever taken in) or ''. Answers `done`, `changed`, `busy` or
-- `filled`.
if (call('HGET', K.meta, 'mark') or '') ~= ARGV[1] then return 'changed' end
if ARGV[4] == 'idle' then
  -- Whoever held what has ended is gone.
  for _, id in ipairs(call('ZRANGEBYSCORE', K.leases, '-inf', now, 'LIMIT', 0, 100)) do
    local progress = progress_of(id)
    if progress and progress[STATE] == RUNNING then
      give_back_in_doubt(id, progress)
    else
      call('ZREM', K.leases, id)
    end
  end
  finish()
  if call('ZCARD', K.leases) > 0 or call('LLEN', K.committed) > 0 then return 'busy' end
end
if ARGV[4] == 'empty' and (call('HLEN', K.entry) > 0 or call('ZCARD', K.batches) > 0) then
  return 'filled'
end
call('HSET', K.meta, 'mark', ARGV[2], 'closed', ARGV[3])
return 'done'
