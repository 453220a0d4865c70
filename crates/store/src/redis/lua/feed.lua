-- What happened, for those who watch. One field of the same name in every entry, so that the stream
-- packs them. Its first byte says what happened; then comes the id of the onboarding, or the
-- account's name and, where it was parked, a zero and why, or the id of the message that was refused.
local MOVED = { [QUEUED] = 'q', [SUCCEEDED] = 's', [FAILED] = 'f', [CANCELLED] = 'c' }

-- Most entries that a call takes away because their time is over: more than a call adds.
local FEED_SWEEP = 1000

local function tell(what)
  call('XADD', K.feed, 'MINID', '~', now - FEED_KEPT, 'LIMIT', FEED_SWEEP, '*', 'e', what)
end

local function tell_moved(id, state) tell(MOVED[state] .. id) end
