-- Lays deliveries out and moves the mark of up to where the feed was. ARGV: the mark that the caller
-- saw behind `=`, or '' for none; the new one; what tells this call from any other but its own
-- repeat; then id, endpoint, onboarding, what is sent per delivery. Answers 1, 0 where the mark is
-- another, or -1 where the store is closed.
if closed() then return -1 end
local mark = call('HMGET', K.meta, 'laid_out', 'laid_out_by')
if mark[2] == ARGV[3] then return 1 end
if (mark[1] and '=' .. mark[1] or '') ~= ARGV[1] then return 0 end
call('HSET', K.meta, 'laid_out', ARGV[2], 'laid_out_by', ARGV[3])
local order, due, states = {}, {}, {}
for i = 4, #ARGV, 4 do
  local id = ARGV[i]
  if call('HSETNX', K.delivery, id, ARGV[i + 3]) == 1 then
    local number = call('HINCRBY', K.count, 'delivery', 1)
    local n = #order
    order[n + 1], order[n + 2] = 0, be6(number) .. id
    due[n + 1], due[n + 2] = now, id
    states[n + 1] = id
    states[n + 2] = cmsgpack.pack({ D_WAITING, 0, 0, number, now, now, now, D_FREE, -1, '', 0, 0, ARGV[i + 1], ARGV[i + 2] })
  end
end
-- The caller bounds how many there are, far below what `unpack` takes.
if #order > 0 then
  call('ZADD', K.delivery_order, unpack(order))
  call('ZADD', K.delivery_due, unpack(due))
  call('HSET', K.delivery_state, unpack(states))
end
return 1
