-- Records what came of an attempt. ARGV: id, which attempt, HTTP status or -1, what went wrong or '',
-- how long it took (ms), then `delivered`, `give_up` or `again`, and after how long (ms). Answers 1,
-- or 0 where it was taken or sent again since. Its repeat does nothing twice.
local id = ARGV[1]
local delivery = delivery_of(id)
if not delivery or delivery[D_ATTEMPTS] ~= tonumber(ARGV[2]) or delivery[D_HELD] == D_FREE then return 0 end
if delivery[D_HELD] == D_TOLD then return 1 end
delivery[D_HELD] = D_TOLD
delivery[D_STATUS], delivery[D_ERROR] = tonumber(ARGV[3]), ARGV[4]
delivery[D_DURATION], delivery[D_LAST] = tonumber(ARGV[5]), now
if ARGV[6] == 'again' then
  put_off(id, delivery, tonumber(ARGV[7]))
else
  delivery[D_STATE] = ARGV[6] == 'delivered' and D_DELIVERED or D_GIVEN_UP
  delivery[D_NEXT] = 0
  call('ZREM', K.delivery_due, id)
  call('ZADD', K.delivery_ended, now, id)
end
save_delivery(id, delivery)
return 1
