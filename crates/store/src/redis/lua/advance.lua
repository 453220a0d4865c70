-- Records what happened to claimed onboardings and says what comes next. ARGV: the process that
-- holds them, then per write how many values it has and those: id, epoch, write, what comes then,
-- its argument (ms, or the index of the faulty step), fault (JSON or ''), whether it is checked
-- once more if it ends now, how many settled permits; per permit account, serial, expiry, whether answered; then step and JSON per step. Answers what
-- came of each and up to two numbers. Those of several callers go together, at most some dozen.
local holder = ARGV[1]

local function is_held(progress, epoch)
  return progress and progress[STATE] == RUNNING and progress[EPOCH] == epoch
    and progress[HOLDER] == holder
end

-- Whether a step before one that is to be recorded is not on record as done.
local function forgot_steps(progress, values, i, last)
  if i >= last then return false end
  for j = 1, tonumber(values[i]) do
    if not is_done(progress[STEPS][j]) then return true end
  end
  return false
end

local function record(values, from, last)
  local id, epoch, write = values[from], tonumber(values[from + 1]), tonumber(values[from + 2])
  local after, argument = values[from + 3], tonumber(values[from + 4])
  local progress = progress_of(id)
  if progress and progress[EPOCH] == epoch and progress[HOLDER] == holder then
    -- A copy that was long on its way: its like was answered, and others since.
    if write < progress[WRITE] then return { 'lost' } end
    if write == progress[WRITE] then
      -- The answer to this very write was lost. What kept the lease holds only while it lasts.
      local before = cmsgpack.unpack(progress[ANSWER])
      local keeps = before[1] == 'kept' or before[1] == 'permitted' or before[1] == 'wait'
      if not keeps or progress[STATE] == RUNNING then return before end
    end
  end

  local i = from + 8
  for _ = 1, tonumber(values[from + 7]) do
    local L = lane_of(values[i])
    settle(L, tonumber(values[i + 1]), tonumber(values[i + 2]), values[i + 3] == '1')
    i = i + 4
  end
  if not is_held(progress, epoch) then return { 'lost' } end
  if forgot_steps(progress, values, i, last) then
    -- Steps are recorded one after the other: the server lost some of them, and what they did.
    give_back_in_doubt(id, progress, holder)
    return { 'lost' }
  end

  local L = progress[LANE]
  local lane = change_lane(L)
  while i < last do
    local step = tonumber(values[i]) + 1
    for missing = #progress[STEPS] + 1, step - 1 do progress[STEPS][missing] = '' end
    progress[STEPS][step] = values[i + 1]
    i = i + 2
  end

  local answer, ended
  if progress[CANCEL] == 1 and after ~= 'succeed' then after = 'cancel' end

  if after == 'permit' or after == 'wait' then
    local serial, number = take(L, id, progress[TIMEOUT])
    if serial then
      answer = { 'permitted', serial, number }
    elseif after == 'wait' and number then
      if reserved_until(lane, id) <= now then
        lane[ASKER], lane[ASKER_UNTIL] = id, number + RESERVED
      end
      answer = { 'wait', math.max(1, number - now) }
    else
      after, argument = 'release', 0
    end
  elseif after == 'keep' then
    answer = { 'kept' }
  end

  if not answer then
    call('ZREM', K.leases, id)
    if lane[ASKER] == id then lane[ASKER] = '' end
    progress[CANCEL] = 0
    progress[FAULT], progress[FAULT_STEP] = '', -1
    if after == 'release' or after == 'abandon' then
      progress[SUSPECT] = after == 'abandon' and 1 or 0
      progress[WAKE_AT] = argument > 0 and now + argument or 0
      move(progress, QUEUED)
      line_up(id, progress)
      answer = { 'released' }
    elseif after == 'succeed' then
      ended = SUCCEEDED
      call('RPUSH', K.done, be6(now) .. id)
      answer = { 'finished' }
    elseif after == 'cancel' then
      ended = CANCELLED
      call('ZADD', K.cancelled, progress[SEQ], id)
      free_number(id, call('HGET', K.onboarding, id))
      call('RPUSH', K.done, be6(now) .. id)
      answer = { 'cancelled' }
    else
      progress[FAULT], progress[FAULT_STEP] = values[from + 5], argument
      ended = FAILED
      call('ZADD', K.failed, progress[SEQ], id)
      answer = { 'finished' }
    end
  end
  if ended then
    move(progress, ended)
    tell_moved(id, ended)
    if ended == SUCCEEDED then count_succeeded(progress[SEQ]) end
    if values[from + 6] == '1' then call('ZADD', K.late, now, id) end
  end
  progress[WRITE], progress[ANSWER] = write, cmsgpack.pack(answer)
  save_progress(id, progress)
  return answer
end

local answers = {}
local i = 2
-- A server that lost the whole store gets nothing written into the new one.
local gone = closed() and call('HEXISTS', K.meta, 'made') == 0
while i <= #ARGV do
  local last = i + tonumber(ARGV[i])
  -- One that cannot be read must not leave the others half done.
  local done, answer = true, { 'lost' }
  if not gone then done, answer = pcall(record, ARGV, i + 1, last) end
  if not done then
    answer = { 'error', type(answer) == 'table' and answer.err or tostring(answer) }
  end
  answers[#answers + 1] = answer
  i = last + 1
end
for L in pairs(changed) do place(L, false) end
finish()
return answers
