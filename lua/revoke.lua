#!lua flags=allow-oom
--[[ revoke: tell every engine that access tokens of one user below a generation are revoked. Of no sale: it has one key of its own.

Engines and back-offices read the stream from where each of them stands, and in full when they start. Entries older than the
longest life of a token speak of tokens that have ended by themselves; they go.

KEYS    1 revocations
ARGV    1 call  2 user  3 generation  4 keep_ms
RETURNS revoked <call> <entry id>
WRITES  revocations
REPLAY  again -> a second entry that says the same; readers take the highest generation
COST    O(1), and the removal of what is old
]]
local revocations_key = KEYS[1]
local call, user, generation, keep_ms = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

-- read
local time = redis.call('TIME')

-- refuse
if user == '' then return redis.error_reply('BADARG user') end
if not generation or generation < 1 or generation % 1 ~= 0 then return redis.error_reply('BADARG generation') end
if not keep_ms or keep_ms < 1 then return redis.error_reply('BADARG keep_ms') end

-- write
local id = redis.call('XADD', revocations_key, '*', 'u', user, 'g', string.format('%.0f', generation))
redis.call('XTRIM', revocations_key, 'MINID', '~', string.format('%.0f', time[1] * 1000 - keep_ms))
return { 'revoked', call, id }
