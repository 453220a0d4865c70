-- Takes an account of another store in. ARGV: account, whether its limits were told, requests,
-- window (ms), in flight, burst, what stops it or 0, why, since when, how it is tried, for how long it
-- is closed.
local L = lane_of(ARGV[1])
local lane = change_lane(L)
if ARGV[2] == '1' and lane[TOLD] == 0 then
  lane[TOLD] = 1
  lane[LIMIT], lane[WINDOW] = tonumber(ARGV[3]), tonumber(ARGV[4])
  lane[CONNECTIONS], lane[BURST] = tonumber(ARGV[5]), tonumber(ARGV[6])
end
if ARGV[7] ~= '0' and lane[STOPPED] == OPEN then
  stop_lane(L, tonumber(ARGV[7]), ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[10]), now, 0)
end
lane[CLOSED] = math.max(lane[CLOSED], now + math.min(tonumber(ARGV[11]), FARTHEST))
if tonumber(ARGV[11]) == 0 and lane[CLOSED] <= now then lane[CLOSED] = 0 end
place(L, false)
finish()
return 1
