-- Remembers that a question was asked. ARGV: the question's digest, how long to remember it (ms),
-- what tells this call from any other but its own repeat. Answers `new`, `unanswered`, `other`, or
-- `answered` and the answer.
local asked = call('HMGET', K.answer, 'question', 'answer', 'call')
if not asked[1] then
  if closed() then return { 'closed' } end
  call('HSET', K.answer, 'question', ARGV[1], 'call', ARGV[3])
  call('PEXPIRE', K.answer, ARGV[2])
  return { 'new' }
end
if asked[1] ~= ARGV[1] then return { 'other' } end
if asked[2] then return { 'answered', asked[2] } end
return { asked[3] == ARGV[3] and 'new' or 'unanswered' }
