-- Takes a chunk of a batch that was not committed away again. ARGV: batch, and whether its time
-- has to be over. Answers how many chunks are left, or -1 where it is not to be taken away.
local batch = ARGV[1]
local until_ms = call('ZSCORE', K.batches, batch)
if not until_ms then return -1 end
if ARGV[2] == '1' and tonumber(until_ms) > now then return -1 end
-- Whoever staged it must not commit half of it.
call('ZADD', K.batches, 1, batch)
local packed = call('RPOP', K.rows)
if packed then
  local rows = cmsgpack.unpack(packed)
  for i, id in ipairs(rows[1]) do
    if laid_down_by(call('HGET', K.entry, id)) == batch then
      local name = name_in(call('HGET', K.onboarding, id))
      call('HDEL', K.onboarding, id)
      call('HDEL', K.entry, id)
      if name ~= '' and call('HGET', K.names, rows[2][i] .. '\0' .. name) == id then
        call('HDEL', K.names, rows[2][i] .. '\0' .. name)
      end
    end
  end
end
local left = call('LLEN', K.rows)
if left == 0 then
  call('ZREM', K.batches, batch)
  call('DEL', K.batch)
end
return left
