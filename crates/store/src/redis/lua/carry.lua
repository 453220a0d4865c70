-- Takes in onboardings of another store, behind those that came before. ARGV: world, then per
-- onboarding id, account, record, created_at, state, epoch, updated_at, whether it is in doubt,
-- fault, faulty step, whether it is checked once more, whether it has its number, how many steps, and
-- those. What is there is left. Answers how many are new.
call('HSETNX', K.meta, 'world', ARGV[1])
local new = 0
local i = 2
while i < #ARGV do
  local id, account, record, created = ARGV[i], ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3])
  local state, epoch, updated = tonumber(ARGV[i + 4]), tonumber(ARGV[i + 5]), tonumber(ARGV[i + 6])
  local suspect, fault, fault_step = tonumber(ARGV[i + 7]), ARGV[i + 8], tonumber(ARGV[i + 9])
  local late, has_number = ARGV[i + 10], ARGV[i + 11] == '1'
  local steps = {}
  for j = 1, tonumber(ARGV[i + 12]) do steps[j] = ARGV[i + 12 + j] end
  i = i + 13 + #steps
  if call('HEXISTS', K.entry, id) == 0 then
    new = new + 1
    local L = lane_of(account)
    local lane = change_lane(L)
    local seq = call('HINCRBY', K.count, 'seq', 1)
    call('HSET', K.onboarding, id, record)
    call('HSET', K.entry, id, be6(seq) .. be6(created) .. L .. be4(lane[TAKEN]))
    write_order(K.order, '', seq, { id })
    write_order(K.lane_order, L, lane[TAKEN], { id })
    lane[TAKEN] = lane[TAKEN] + 1
    local name = name_in(record)
    if name ~= '' then call('HSET', K.names, account .. '\0' .. name, id) end
    if has_number then take_number(id, number_in(record)) end
    count(state, 1)
    if state == QUEUED then lane[WAITING] = lane[WAITING] + 1 end
    -- One that was never begun waits in its lane's order.
    if state ~= QUEUED or epoch > 0 or suspect == 1 or #steps > 0 then
      local progress = fresh_progress(seq, L)
      progress[STATE], progress[EPOCH], progress[UPDATED] = state, epoch, updated
      progress[SUSPECT], progress[FAULT], progress[FAULT_STEP] = suspect, fault, fault_step
      progress[STEPS] = steps
      call('HSET', K.progress, id, cmsgpack.pack(progress))
      if state == QUEUED then line_up(id, progress) end
      if late == '1' then call('ZADD', K.late, now, id) end
      if state == FAILED then call('ZADD', K.failed, seq, id) end
      if state == CANCELLED then call('ZADD', K.cancelled, seq, id) end
      if state == CANCELLED or state == SUCCEEDED then call('RPUSH', K.done, be6(now) .. id) end
    end
  end
end
for L in pairs(changed) do place(L, false) end
finish()
return new
