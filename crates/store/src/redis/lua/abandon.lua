-- Gives leases back in doubt. ARGV: the process that holds them, then id and epoch per lease. Answers how many, then, as `claim`
-- does, those of cancelled onboardings.
local answer = { 0 }
for i = 2, #ARGV, 2 do
  local id = ARGV[i]
  local packed = call('HGET', K.progress, id)
  local progress = packed and cmsgpack.unpack(packed)
  if progress and progress[STATE] == RUNNING and progress[EPOCH] == tonumber(ARGV[i + 1])
    and progress[HOLDER] == ARGV[1] then
    answer[1] = answer[1] + 1
    if give_back_in_doubt(id, progress, ARGV[1]) then
      hand_out(answer, id, progress[EPOCH], 1, 0, 0, packed)
    end
  end
end
finish()
return answer
