-- Records the answer to a question, unless there is one. ARGV: the answer. Answers the one that is
-- kept. A question whose time is over keeps none: nothing would ever take it away.
if call('EXISTS', K.answer) == 1 and call('HSETNX', K.answer, 'answer', ARGV[1]) == 0 then
  return { call('HGET', K.answer, 'answer') }
end
return { ARGV[1] }
