-- Enters accounts that a group of workers serves. A group is all workers with the same accounts.
-- ARGV: the group's digest, then name, requests, window (ms), in flight, burst per account.
-- Answers the group's number, or that the store is closed.
if closed() then return { 'closed' } end
local digest = ARGV[1]
-- Groups that are long gone leave nothing behind.
for _, gone in ipairs(call('ZRANGEBYSCORE', K.alive, '-inf', now - 24 * GROUP_GONE, 'LIMIT', 0, 10)) do
  call('ZREM', K.alive, gone)
  local its = call('HGET', K.groups, gone)
  if its then call('HDEL', K.groups, its, gone) end
end
local group = call('HGET', K.groups, digest)
if not group then
  repeat
    group = struct.pack('>I2', call('HINCRBY', K.count, 'group', 1) % 65536)
  until not call('ZSCORE', K.alive, group)
  call('HSET', K.groups, digest, group, group, digest)
end
call('ZADD', K.alive, now, group)
for i = 2, #ARGV, 5 do
  local L = lane_of(ARGV[i])
  local lane = change_lane(L)
  lane[LIMIT], lane[WINDOW] = tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  lane[CONNECTIONS], lane[BURST] = tonumber(ARGV[i + 3]), tonumber(ARGV[i + 4])
  lane[TOLD] = 1
  local served = false
  for j = 1, #lane[GROUPS], 2 do
    if string.sub(lane[GROUPS], j, j + 1) == group then served = true end
  end
  if not served then lane[GROUPS] = lane[GROUPS] .. group end
  place(L, true)
end
wake = true
finish()
return { 'group', group }
