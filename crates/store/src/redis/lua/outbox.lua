-- Deliveries. What is sent lies by itself and is never read here; what becomes of it is packed, by
-- position: where it stands; how often it was taken, and how often of those before it was last sent
-- again; its number, in the order of laying out; when it was laid out, since when it is tried, when
-- it is due next or 0 (ms).
local D_STATE, D_ATTEMPTS, D_BEFORE, D_NUMBER, D_CREATED, D_SINCE, D_NEXT = 1, 2, 3, 4, 5, 6, 7
-- Whether its last attempt is under way.
local D_HELD = 8
-- The last attempt that ended: HTTP status or -1, what went wrong or '', how long it took (ms), when
-- it ended or 0 (ms).
local D_STATUS, D_ERROR, D_DURATION, D_LAST = 9, 10, 11, 12
-- Whom it tells, and about which onboarding ('' where it is about none).
local D_ENDPOINT, D_ONBOARDING = 13, 14

local D_WAITING, D_DELIVERED, D_GIVEN_UP = 0, 1, 2
-- Nobody tries it; somebody does; what came of that was told.
local D_FREE, D_TAKEN, D_TOLD = 0, 1, 2

-- The longest that one is put off (ms): a day, for as long as any is tried.
local D_FARTHEST = 86400000
-- Most that a call forgets because their time is over: as many as it takes.
local D_SWEEP = 64

local function delivery_of(id)
  local packed = call('HGET', K.delivery_state, id)
  return packed and cmsgpack.unpack(packed) or nil
end

local function save_delivery(id, delivery)
  call('HSET', K.delivery_state, id, cmsgpack.pack(delivery))
end

local function put_off(id, delivery, ms)
  delivery[D_NEXT] = now + math.min(ms, D_FARTHEST)
  call('ZADD', K.delivery_due, delivery[D_NEXT], id)
end

-- Those that ended long ago.
local function forget_deliveries()
  for _, id in ipairs(call('ZRANGEBYSCORE', K.delivery_ended, '-inf', now - ENDED_KEPT, 'LIMIT', 0, D_SWEEP)) do
    local delivery = delivery_of(id)
    if delivery then call('ZREM', K.delivery_order, be6(delivery[D_NUMBER]) .. id) end
    call('HDEL', K.delivery, id)
    call('HDEL', K.delivery_state, id)
    call('ZREM', K.delivery_ended, id)
  end
end
