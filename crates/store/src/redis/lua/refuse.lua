-- Records that a message was refused. ARGV: its id, what it is (packed by the caller, opaque here),
-- its sender's name. Answers 1, or -1 where the store is closed. What is kept of one, packed by
-- position: its number in the order of the first attempts, how often it came, when first, when last
-- (ms), what it is.
local R_NUMBER, R_ATTEMPTS, R_FIRST, R_LAST, R_WHAT = 1, 2, 3, 4, 5
if closed() then return -1 end
local id, sender = ARGV[1], ARGV[3]
local packed = call('HGET', K.refused, id)
local one
if packed then
  one = cmsgpack.unpack(packed)
  one[R_ATTEMPTS], one[R_LAST], one[R_WHAT] = one[R_ATTEMPTS] + 1, now, ARGV[2]
else
  one = { call('HINCRBY', K.count, 'refused', 1), 1, now, now, ARGV[2] }
  call('ZADD', K.refused_order, one[R_NUMBER], id .. sender)
  tell('x' .. id)
end
call('HSET', K.refused, id, cmsgpack.pack(one))
if not packed then
  local function forget(member)
    call('ZREM', K.refused_order, member)
    call('HDEL', K.refused, string.sub(member, 1, 16))
  end
  -- Those beyond the bounds leave, the oldest first: there is never more than one.
  local all, own, oldest = call('ZRANGE', K.refused_order, 0, -1), 0, nil
  for _, member in ipairs(all) do
    if string.sub(member, 17) == sender then
      own = own + 1
      oldest = oldest or member
    end
  end
  if own > REFUSED_OF_A_SENDER then forget(oldest) elseif #all > REFUSED_IN_ALL then forget(all[1]) end
  -- So do those whose time is over.
  for n = 1, math.min(#all, 10) do
    local kept = call('HGET', K.refused, string.sub(all[n], 1, 16))
    if not kept or cmsgpack.unpack(kept)[R_LAST] < now - REFUSED_KEPT then forget(all[n]) end
  end
end
call('PEXPIRE', K.refused, REFUSED_KEPT)
call('PEXPIRE', K.refused_order, REFUSED_KEPT)
return 1
