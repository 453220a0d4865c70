-- Orders of acceptance: of all onboardings, and of each lane's. Ids lie packed in segments, so
-- that an onboarding costs its sixteen bytes in each.
local function segment_of(prefix, nth)
  return prefix .. be4(math.floor(nth / SEGMENT)), (nth % SEGMENT) * ID
end

-- Writes ids that follow each other from `nth` on.
local function write_order(key, prefix, nth, ids)
  local i = 1
  while i <= #ids do
    local field, offset = segment_of(prefix, nth)
    local room = SEGMENT - nth % SEGMENT
    local last = math.min(#ids, i + room - 1)
    local run = table.concat(ids, '', i, last)
    local segment = call('HGET', key, field) or ''
    if #segment < offset then segment = segment .. string.rep('\0', offset - #segment) end
    call('HSET', key, field, string.sub(segment, 1, offset) .. run .. string.sub(segment, offset + #run + 1))
    nth = nth + last - i + 1
    i = last + 1
  end
end

-- Takes one out; a segment of which nothing is left goes.
local function leave_order(key, prefix, nth)
  local field, offset = segment_of(prefix, nth)
  local segment = call('HGET', key, field)
  if not segment then return end
  segment = string.sub(segment, 1, offset) .. string.rep('\0', ID) .. string.sub(segment, offset + ID + 1)
  if segment == string.rep('\0', SEGMENT * ID) then
    call('HDEL', key, field)
  else
    call('HSET', key, field, segment)
  end
end
