-- Notes what a worker says of itself. ARGV: its name; what it says, or nothing: it has ended.
if ARGV[2] == '' then
  call('ZREM', K.workers, ARGV[1])
  call('HDEL', K.worker, ARGV[1])
else
  call('ZADD', K.workers, now, ARGV[1])
  call('HSET', K.worker, ARGV[1], ARGV[2])
end
-- Those that vanished are forgotten after a day.
for _, gone in ipairs(call('ZRANGEBYSCORE', K.workers, '-inf', now - 86400000, 'LIMIT', 0, 10)) do
  call('ZREM', K.workers, gone)
  call('HDEL', K.worker, gone)
end
return {}
