-- Takes deliveries that are due, and holds them. ARGV: most of them, for how long (ms). Answers
-- state, ms until there may be more (-1: not before one is laid out), then id, what becomes of it,
-- what is sent per delivery.
if closed() then return { 'closed' } end
forget_deliveries()
local most, hold = tonumber(ARGV[1]), tonumber(ARGV[2])
local due = call('ZRANGEBYSCORE', K.delivery_due, '-inf', now, 'LIMIT', 0, most)
if #due == 0 then
  -- None is put off for so long: a clock that was wrong wrote it.
  due = call('ZRANGEBYSCORE', K.delivery_due, now + 2 * D_FARTHEST, '+inf', 'LIMIT', 0, most)
end
local answer = { 'due', -1 }
for _, id in ipairs(due) do
  local delivery = delivery_of(id)
  local sent = delivery and call('HGET', K.delivery, id)
  if sent then
    delivery[D_ATTEMPTS] = delivery[D_ATTEMPTS] + 1
    delivery[D_HELD] = D_TAKEN
    put_off(id, delivery, hold)
    save_delivery(id, delivery)
    answer[#answer + 1] = id
    answer[#answer + 1] = cmsgpack.pack(delivery)
    answer[#answer + 1] = sent
  else
    call('ZREM', K.delivery_due, id)
  end
end
local first = call('ZRANGE', K.delivery_due, 0, 0, 'WITHSCORES')[2]
if first then answer[2] = math.max(0, tonumber(first) - now) end
return answer
