-- Lays a chunk of a large batch down where nobody sees it, and keeps its keys for it.
-- ARGV: batch, chunk, first row, world, how long the batch is kept (ms), then id, account, record
-- per row. Answers: state, new, duplicates, 0, then row, obstacle, id or batch per obstacle. While
-- it is busy nothing of the chunk is laid down. Safe to repeat.
local batch, chunk, first, lasts = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[5])
if other_world(ARGV[4]) then return { 'world' } end
if closed() then return { 'closed' } end
local kept = tonumber(call('ZSCORE', K.batches, batch) or 0)
local laid = call('LLEN', K.rows)
if kept == 1 or (chunk > 0 and kept == 0) or laid < chunk then return { 'gone' } end
call('ZADD', K.batches, now + lasts, batch)

local found = look_at(ARGV, 6, batch, first)
-- Refused rows do not keep the others from being laid down, so that all clashes are found.
if not found.busy and laid == chunk then
  keep(found)
  local entries = {}
  for i, id in ipairs(found.ids) do
    entries[2 * i - 1] = id
    entries[2 * i] = 'S' .. batch .. be4(found.rows[i])
  end
  if #entries > 0 then call('HSET', K.entry, unpack(entries)) end
  call('RPUSH', K.rows, cmsgpack.pack({ found.ids, found.accounts, found.numbers }))
end
return verdict_on(found, 'staged')
