-- Makes the store where there is none, and tells what it is. ARGV: schema, key check (sealed).
if call('EXISTS', K.meta) == 0 then
  call('HSET', K.meta, 'schema', ARGV[1], 'key_check', ARGV[2], 'made', now)
end
return call('HMGET', K.meta, 'schema', 'key_check', 'world', 'mark')
