-- Records what a late check found. ARGV: id, the epoch that the check was taken with, ms until it is
-- checked again (-1: it is not), fault (JSON or '' for the one before), then step and JSON per step.
local id = ARGV[1]
local progress = progress_of(id)
if not progress or progress[EPOCH] ~= tonumber(ARGV[2]) then return 0 end
if progress[STATE] == QUEUED or progress[STATE] == RUNNING then return 0 end
for i = 5, #ARGV, 2 do
  local step = tonumber(ARGV[i]) + 1
  for missing = #progress[STEPS] + 1, step - 1 do progress[STEPS][missing] = '' end
  progress[STEPS][step] = ARGV[i + 1]
end
if ARGV[4] ~= '' then progress[FAULT] = ARGV[4] end
-- When it ended stays as it was.
call('HSET', K.progress, id, cmsgpack.pack(progress))
if tonumber(ARGV[3]) < 0 then
  call('ZREM', K.late, id)
else
  call('ZADD', K.late, now + tonumber(ARGV[3]), id)
end
return 1
