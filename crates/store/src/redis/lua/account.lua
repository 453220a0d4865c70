-- What happens to an account. ARGV: account, what, and what belongs to it. Answers a number.
--   `close`, for how long (ms): 1 where it was open
--   `stop`, 1 to park it or 2 for an outage, why, how to try it, after how long (ms): 1 where that is news
--   `park`, why; a person does: 1 where it was not parked
--   `resume`; a person does: 1 where it was parked, 2 where it was closed, 0 where it was neither
--   `probed`, token, `works`, or `failed` and after how long to try it again (ms), or '' for not at all,
--   and, behind `=`, why it is parked from now on, or '': 1, or 0 where another has the probe by now
-- -1 to a person where the store is closed.
local account, what = ARGV[1], ARGV[2]
if (what == 'park' or what == 'resume') and closed() then return -1 end
local L = lane_of(account)
local lane = change_lane(L)
local before = lane[STOPPED]
local did = 1

local function soon(ms) return now + math.min(tonumber(ms), FARTHEST) end

local function park(reason, since, probe, at, failures)
  stop_lane(L, PARKED, reason, since, probe, at, failures)
  if before ~= PARKED then tell('p' .. account .. '\0' .. reason) end
end

if what == 'close' then
  if lane[CLOSED] > now then did = 0 end
  lane[CLOSED] = math.max(lane[CLOSED], soon(ARGV[3]))
elseif what == 'stop' then
  local kind, probe = tonumber(ARGV[3]), tonumber(ARGV[5])
  local at = probe ~= 0 and soon(ARGV[6]) or 0
  -- The first reason stays: later ones follow from it.
  if before == PARKED or before == kind then
    did = 0
  elseif kind == PARKED then
    park(ARGV[4], now, probe, at, 0)
  else
    stop_lane(L, OUTAGE, ARGV[4], now, probe, at, 0)
  end
elseif what == 'park' then
  local _, since = stopped_why(L, lane)
  if before == PARKED then did = 0 else since = now end
  park(ARGV[3], since, 0, 0, 0)
elseif what == 'resume' then
  did = 0
  if before == PARKED then did = 1 elseif before == OUTAGE or lane[CLOSED] > now then did = 2 end
  open_lane(L)
  lane[CLOSED] = 0
  if did == 1 then tell('r' .. account) end
elseif lane[PROBE] == 0 or lane[PROBE_AT] ~= tonumber(ARGV[3]) then
  did = 0
elseif ARGV[4] == 'works' then
  open_lane(L)
  if before == PARKED then tell('r' .. account) end
else
  local probe, at, failures = 0, 0, 0
  if ARGV[5] ~= '' then probe, at, failures = lane[PROBE], soon(ARGV[5]), lane[PROBE_FAILURES] + 1 end
  if ARGV[6] ~= '' and before == OUTAGE then
    park(string.sub(ARGV[6], 2), now, probe, at, failures)
  else
    lane[PROBE], lane[PROBE_AT], lane[PROBE_FAILURES] = probe, at, failures
  end
end
place(L, false)
finish()
return did
