-- Stopped accounts: those that are parked, and those where Exotel does not answer. Why and since when
-- is kept by lane, apart for each.
local STOPS = { [PARKED] = 'parked', [OUTAGE] = 'outages' }

-- Stops a lane, or changes what stops it, and says how it is tried again and when.
local function stop_lane(L, kind, reason, since, probe, at, failures)
  local lane = change_lane(L)
  local before = lane[STOPPED]
  if before ~= OPEN and before ~= kind then call('HDEL', K[STOPS[before]], L) end
  call('HSET', K[STOPS[kind]], L, cmsgpack.pack({ reason, since }))
  lane[STOPPED], lane[PROBE], lane[PROBE_AT], lane[PROBE_FAILURES] = kind, probe, at, failures
  lane[PROBER] = ''
end

-- Lets a lane go on.
local function open_lane(L)
  local lane = change_lane(L)
  if lane[STOPPED] ~= OPEN then call('HDEL', K[STOPS[lane[STOPPED]]], L) end
  lane[STOPPED], lane[PROBE], lane[PROBE_AT], lane[PROBE_FAILURES] = OPEN, 0, 0, 0
  lane[PROBER] = ''
end

-- Why a lane is stopped and since when.
local function stopped_why(L, lane)
  local packed = lane[STOPPED] ~= OPEN and call('HGET', K[STOPS[lane[STOPPED]]], L)
  if not packed then return '', now end
  return unpack(cmsgpack.unpack(packed))
end
