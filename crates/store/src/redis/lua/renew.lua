-- Prolongs leases. ARGV: lease (ms), the process that holds them, then id and epoch per lease. Answers the ids of those lost.
local lost = {}
for i = 3, #ARGV, 2 do
  local progress = progress_of(ARGV[i])
  if progress and progress[STATE] == RUNNING and progress[EPOCH] == tonumber(ARGV[i + 1])
    and progress[HOLDER] == ARGV[2] then
    call('ZADD', K.leases, now + tonumber(ARGV[1]), ARGV[i])
  else
    lost[#lost + 1] = ARGV[i]
  end
end
return lost
