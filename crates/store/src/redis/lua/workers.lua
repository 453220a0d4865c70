-- The workers that were heard of, the last one first: of each its name, how long ago (ms), what it said.
local all = {}
local heard = call('ZREVRANGEBYSCORE', K.workers, '+inf', '-inf', 'WITHSCORES', 'LIMIT', 0, 200)
for i = 1, #heard, 2 do
  local said = call('HGET', K.worker, heard[i])
  if said then
    all[#all + 1] = heard[i]
    all[#all + 1] = math.max(0, now - tonumber(heard[i + 1]))
    all[#all + 1] = said
  end
end
return all
