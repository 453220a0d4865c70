-- Takes late checks that are due. ARGV: most, for how long (ms) no other call gets them. Answers ms
-- until the next is due (-1: there is none), the time, then id, epoch, whether it is in doubt, and ms since it ended of each.
local answer = { -1, now }
local due = call('ZRANGEBYSCORE', K.late, '-inf', now, 'LIMIT', 0, tonumber(ARGV[1]))
for _, id in ipairs(due) do
  local progress = progress_of(id)
  if progress and progress[STATE] ~= QUEUED and progress[STATE] ~= RUNNING then
    call('ZADD', K.late, now + tonumber(ARGV[2]), id)
    answer[#answer + 1] = id
    answer[#answer + 1] = progress[EPOCH]
    answer[#answer + 1] = progress[SUSPECT]
    answer[#answer + 1] = math.max(0, now - progress[UPDATED])
  else
    call('ZREM', K.late, id)
  end
end
local next = call('ZRANGE', K.late, 0, 0, 'WITHSCORES')[2]
if next then answer[1] = math.max(0, tonumber(next) - now) end
return answer
