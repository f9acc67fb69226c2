#!lua flags=allow-oom
--[[ switch: pause, resume or close a sale; a closed one stays closed.

KEYS    1 sale  2 journal
ARGV    1 call  2 epoch  3 caller_ms  4 verb
RETURNS switched <call> <state> <seq> | already <call> <state> | closed <call> | unknown_sale <call> | unknown_schema <call> <schema>
        | recovering <call> <why>
WRITES  sale, journal             (only on switched)
REPLAY  the same verb again -> already, no write
COST    O(1)
]]
local sale_key, journal_key = KEYS[1], KEYS[2]
local call, epoch, caller_ms, verb = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local VERBS = { pause = { 'paused', 'P' }, resume = { 'open', 'R' }, close = { 'closed', 'C' } }
local to = VERBS[verb]
if not to then return redis.error_reply('BADARG verb') end

-- read
local h, word, why = fence(sale_key, epoch, caller_ms)

-- refuse
if not h then return { word, call, why } end
local state, kind = to[1], to[2]
if h.state == state then return { 'already', call, state } end
if h.state == 'closed' then return { 'closed', call } end

-- write
local seq, bytes = h.seq + 1, h.bytes + 16
redis.call('XADD', journal_key, '*', 'e', epoch, 's', seq, 'n', 1, 't', h.now, 'b', bytes, kind, '')
redis.call('HSET', sale_key, 'state', state, 'seq', seq, 'bytes', bytes, 'last_now_ms', h.now)
return { 'switched', call, state, seq }
