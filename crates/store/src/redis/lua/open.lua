-- Makes the store where there is none, and tells what it is. ARGV: schema, key check (sealed).
-- Answers whether it was made now, then schema, key check, world, mark of a move.
local made = call('HSETNX', K.meta, 'made', now)
if made == 1 then call('HSET', K.meta, 'schema', ARGV[1], 'key_check', ARGV[2]) end
local meta = call('HMGET', K.meta, 'schema', 'key_check', 'world', 'mark')
return { made, meta[1], meta[2], meta[3], meta[4] }
