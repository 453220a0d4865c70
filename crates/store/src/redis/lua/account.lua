-- What happens to an account. ARGV: account, then `close` and for how long (ms), `park` and why,
-- or `resume`. Answers whether it changed anything.
local L = lane_of(ARGV[1])
local lane = change_lane(L)
local did = 1
if ARGV[2] == 'close' then
  lane[CLOSED] = math.max(lane[CLOSED], now + math.min(tonumber(ARGV[3]), FARTHEST))
elseif ARGV[2] == 'park' then
  -- The first reason stays: later ones follow from it.
  if lane[PARKED] == 0 then
    call('HSET', K.parked, L, cmsgpack.pack({ ARGV[3], now }))
    tell('p' .. ARGV[1] .. '\0' .. ARGV[3])
  end
  lane[PARKED] = 1
else
  did = lane[PARKED]
  lane[PARKED] = 0
  call('HDEL', K.parked, L)
  if did == 1 then tell('r' .. ARGV[1]) end
end
place(L, false)
finish()
return did
