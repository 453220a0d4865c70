-- Decides a staged batch: from here on it is accepted, whatever happens to who staged it.
-- ARGV: batch, accepted, duplicates, world, chunks, where it comes from behind `=` or ''. Answers
-- state, accepted, duplicates, the batch's number or 0: what was decided before where it was; or
-- `gone`.
local batch = ARGV[1]
local before = call('HMGET', K.batch, 'accepted', 'duplicates', 'number')
if before[1] then return { 'committed', tonumber(before[1]), tonumber(before[2]), tonumber(before[3] or 0) } end
if closed() then return { 'closed' } end
if other_world(ARGV[4]) then return { 'world' } end
if tonumber(call('ZSCORE', K.batches, batch) or 1) == 1 then return { 'gone' } end
-- A server that lost chunks (a failover, a restart) must not accept what is left.
if call('LLEN', K.rows) ~= tonumber(ARGV[5]) then return { 'gone' } end
call('HSETNX', K.meta, 'world', ARGV[4])
local accepted = tonumber(ARGV[2])
local last = call('HINCRBY', K.count, 'seq', accepted)
local number = keep_batch(ARGV[6], last - accepted + 1, accepted, tonumber(ARGV[3]))
call('HSET', K.batch, 'accepted', accepted, 'duplicates', ARGV[3], 'seq', last - accepted + 1,
  'created', now, 'applied', 0, 'number', number)
call('HSET', K.count, 'entered:' .. batch, now)
call('ZREM', K.batches, batch)
call('RPUSH', K.committed, batch)
return { 'committed', accepted, tonumber(ARGV[3]), number }
