-- Batches that said where they came from. A batch is a range of places in the order of acceptance:
-- `batch_order` has its first and its last one. In `batch_rows` lies, under its first one, what it is,
-- packed, and under that and a letter a count: s for how many succeeded, c for how many of the
-- cancelled have left the store, l for how many have left it.

-- Keeps a batch, if it said where it came from (behind `=`) and something of it is new. Its number or 0.
local function keep_batch(source, first, accepted, duplicates)
  if source == '' or accepted == 0 then return 0 end
  call('ZADD', K.batch_order, 0, be6(first) .. be6(first + accepted - 1))
  call('HSET', K.batch_rows, be6(first), cmsgpack.pack({ string.sub(source, 2), duplicates, now }))
  return first
end

-- Whether a place is in a batch; that is then the one last looked up.
local function find_batch(seq)
  if seq >= batch_first and seq <= batch_last then return true end
  local found = call('ZREVRANGEBYLEX', K.batch_order, '(' .. be6(seq + 1), '-', 'LIMIT', 0, 1)[1]
  if not found then return false end
  batch_first, batch_last = struct.unpack('>I6I6', found)
  return seq <= batch_last
end

local function count_succeeded(seq)
  if not find_batch(seq) then return end
  local field = be6(batch_first) .. 's'
  batch_counts[field] = (batch_counts[field] or 0) + 1
end

local function count_left(seq, state)
  if not find_batch(seq) then return end
  local batch = be6(batch_first) .. be6(batch_last)
  batch_left[batch] = (batch_left[batch] or 0) + 1
  if state ~= CANCELLED then return end
  local field = be6(batch_first) .. 'c'
  batch_counts[field] = (batch_counts[field] or 0) + 1
end

local function finish_batches()
  for field, n in pairs(batch_counts) do call('HINCRBY', K.batch_rows, field, n) end
  for batch, n in pairs(batch_left) do
    local field = string.sub(batch, 1, 6)
    local first, last = struct.unpack('>I6I6', batch)
    -- A batch leaves with the last of its onboardings.
    if call('HINCRBY', K.batch_rows, field .. 'l', n) > last - first then
      call('ZREM', K.batch_order, batch)
      call('HDEL', K.batch_rows, field, field .. 's', field .. 'c', field .. 'l')
    end
  end
end
