-- Takes an account of another store in. ARGV: account, whether its limits were told, requests,
-- window (ms), in flight, burst, whether it is parked, why, since when, for how long it is closed.
local L = lane_of(ARGV[1])
local lane = change_lane(L)
if ARGV[2] == '1' and lane[TOLD] == 0 then
  lane[TOLD] = 1
  lane[LIMIT], lane[WINDOW] = tonumber(ARGV[3]), tonumber(ARGV[4])
  lane[CONNECTIONS], lane[BURST] = tonumber(ARGV[5]), tonumber(ARGV[6])
end
if ARGV[7] == '1' then
  if lane[PARKED] == 0 then call('HSET', K.parked, L, cmsgpack.pack({ ARGV[8], tonumber(ARGV[9]) })) end
  lane[PARKED] = 1
end
lane[CLOSED] = math.max(lane[CLOSED], now + math.min(tonumber(ARGV[10]), FARTHEST))
if tonumber(ARGV[10]) == 0 and lane[CLOSED] <= now then lane[CLOSED] = 0 end
place(L, false)
finish()
return 1
