-- Calls an onboarding off. ARGV: id, the state that the caller saw. Answers 1 where it is
-- cancelled, 2 where its holder will see to it, 0 where its state is another meanwhile, -1
-- where the store is closed.
if closed() then return -1 end
local id, state = ARGV[1], tonumber(ARGV[2])
local progress = progress_of(id)
local fresh = not progress
if fresh then
  local record = call('HGET', K.onboarding, id)
  if not record or staged_by(record) then return 0 end
  local seq, _, L = header_of(record)
  progress = fresh_progress(seq, L)
end
if progress[STATE] ~= state then return 0 end
local L = progress[LANE]
if state == RUNNING then
  progress[CANCEL] = 1
  save_progress(id, progress)
  return 2
end
if state == QUEUED then
  local member = be6(progress[SEQ]) .. id
  if progress[WAKE_AT] > 0 then
    call('ZREM', K.delayed, L .. member)
  elseif call('ZREM', K.queue, L .. (fresh and '1' or '0') .. member) == 1 then
    local lane = change_lane(L)
    lane[DUE] = lane[DUE] - 1
  end
end
if state == FAILED then call('ZREM', K.failed, id) end
progress[WAKE_AT] = 0
move(progress, CANCELLED)
call('ZADD', K.cancelled, progress[SEQ], id)
call('RPUSH', K.done, be6(now) .. id)
save_progress(id, progress)
place(L, false)
finish()
return 1
