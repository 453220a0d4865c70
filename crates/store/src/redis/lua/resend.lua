-- Makes a delivery due now, whatever became of it. ARGV: id. Answers 1, 0 where there is none, or -1
-- where the store is closed.
if closed() then return -1 end
local id = ARGV[1]
local delivery = delivery_of(id)
if not delivery then return 0 end
call('ZREM', K.delivery_ended, id)
delivery[D_STATE], delivery[D_HELD] = D_WAITING, D_FREE
delivery[D_BEFORE], delivery[D_SINCE] = delivery[D_ATTEMPTS], now
put_off(id, delivery, 0)
save_delivery(id, delivery)
return 1
