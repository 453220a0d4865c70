-- Puts what is not finished in doubt. ARGV: ids. Answers how many those are, or -1 where the store is
-- closed.
if closed() then return -1 end
local marked = 0
for _, id in ipairs(ARGV) do
  local progress = progress_of(id)
  local begun = progress ~= nil
  if not begun then
    local seq, created, L = entry_of(id)
    if seq then
      progress = fresh_progress(seq, L)
      progress[UPDATED] = created
    end
  end
  local state = progress and progress[STATE]
  if state == QUEUED or state == RUNNING or state == FAILED then
    progress[SUSPECT] = 1
    if not begun then
      line_up(id, progress)
      place(progress[LANE], false)
    end
    call('HSET', K.progress, id, cmsgpack.pack(progress))
    marked = marked + 1
  end
end
finish()
return marked
