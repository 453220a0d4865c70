-- Queues an onboarding again that ended. ARGV: id, the state and the time of its last change that
-- the caller saw, whether it is in doubt, then its steps anew. Answers 1, 0 where it has changed
-- meanwhile, or -1 where the store is closed.
if closed() then return -1 end
local id = ARGV[1]
local progress = progress_of(id)
if not progress or progress[STATE] ~= tonumber(ARGV[2]) or progress[UPDATED] ~= tonumber(ARGV[3]) then
  return 0
end
call('ZREM', progress[STATE] == FAILED and K.failed or K.cancelled, id)
call('ZREM', K.late, id)
if ARGV[4] == '1' then progress[SUSPECT] = 1 end
progress[CANCEL], progress[WAKE_AT] = 0, 0
progress[FAULT], progress[FAULT_STEP] = '', -1
progress[WRITE], progress[ANSWER] = 0, ''
progress[STEPS] = {}
for i = 5, #ARGV do progress[STEPS][i - 4] = ARGV[i] end
local record = call('HGET', K.onboarding, id)
if record then take_number(id, number_in(record)) end
move(progress, QUEUED)
tell_moved(id, QUEUED)
line_up(id, progress)
save_progress(id, progress)
place(progress[LANE], false)
finish()
return 1
