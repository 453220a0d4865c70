-- Calls an onboarding off. ARGV: id, the state that the caller saw. Answers 1 where it is
-- cancelled, 2 where its holder will see to it, 0 where its state is another meanwhile, -1
-- where the store is closed.
if closed() then return -1 end
local id, state = ARGV[1], tonumber(ARGV[2])
local progress = progress_of(id)
local begun = progress ~= nil
if not begun then
  local seq, _, L = entry_of(id)
  if not seq then return 0 end
  progress = fresh_progress(seq, L)
end
if progress[STATE] ~= state then return 0 end
local L = progress[LANE]
if state == RUNNING then
  progress[CANCEL] = 1
  save_progress(id, progress)
  return 2
end
if state == QUEUED and begun then
  local member = L .. be6(progress[SEQ]) .. id
  if progress[WAKE_AT] > 0 then
    call('ZREM', K.delayed, member)
  elseif call('ZREM', K.queue, member) == 1 then
    local lane = change_lane(L)
    lane[DUE] = lane[DUE] - 1
  end
end
if state == FAILED then call('ZREM', K.failed, id) end
progress[WAKE_AT] = 0
move(progress, CANCELLED)
call('ZADD', K.cancelled, progress[SEQ], id)
free_number(id, call('HGET', K.onboarding, id))
call('RPUSH', K.done, be6(now) .. id)
if progress[EPOCH] > 0 or progress[SUSPECT] == 1 then call('ZADD', K.late, now, id) end
tell_moved(id, CANCELLED)
save_progress(id, progress)
place(L, false)
finish()
return 1
