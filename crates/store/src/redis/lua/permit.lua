-- Takes a permit outside of any onboarding. ARGV: account, a request's longest time (ms).
if closed() then return { 'closed' } end
local L = lane_of(ARGV[1])
local serial, number = take(L, nil, tonumber(ARGV[2]))
place(L, false)
finish()
if serial then return { 'permitted', serial, number } end
if number then return { 'wait', math.max(1, number - now) } end
return { 'parked', (stopped_why(L, lane_at(L))) }
