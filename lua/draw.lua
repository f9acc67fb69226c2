#!lua flags=allow-oom
--[[ draw: set the order of those who joined a line before its sale opened, once and for good.

Engines work the order out (core, draw); of several that do so at once the first is believed. From here on the seed is in the line, where
every engine finds it, and the draw is in the journal. A draw that the books have and the line has lost is put back without another event,
with its own count of those who were early.

KEYS    1 sale  2 line  3 journal
ARGV    1 call  2 epoch  3 caller_ms  4 early  5 seed  6 list_hash  7 secret  8 is_booked
RETURNS drawn <call> <now_ms> <seq> | restored <call> <now_ms> <seq> | already <call> <seed> | moved <call> <early> | unknown_sale <call>
        | unknown_schema <call> <schema> | recovering <call> <why>
WRITES  sale, line, journal       (only on drawn; on restored the line)
REPLAY  again -> already, no write
COST    O(1)
]]
local sale_key, line_key, journal_key = KEYS[1], KEYS[2], KEYS[3]
local call, epoch, caller_ms, early, seed, list_hash, secret, is_booked = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]

-- read
local h, word, why = fence(sale_key, epoch, caller_ms)
local line = redis.call('HMGET', line_key, 'epoch', 'early', 'drawn', 'restoring')

-- refuse
if not h then return { word, call, why } end
if line[1] ~= epoch or (line[4] or '') ~= '' then return { 'recovering', call, 'line' } end
if (line[3] or '') ~= '' then return { 'already', call, line[3] } end
if is_booked ~= '1' and line[2] ~= early then return { 'moved', call, line[2] or '' } end

-- write
local outcome, seq = 'restored', h.seq
redis.call('HSET', line_key, 'early', early, 'drawn', seed)
if is_booked ~= '1' then
  local event = early .. '|' .. seed .. '|' .. list_hash .. '|' .. secret
  local bytes = h.bytes + #event + 16
  outcome, seq = 'drawn', h.seq + 1
  redis.call('XADD', journal_key, '*', 'e', epoch, 's', seq, 'n', 1, 't', h.now, 'b', bytes, 'D', event)
  redis.call('HSET', sale_key, 'seq', seq, 'bytes', bytes, 'last_now_ms', h.now)
end
return { outcome, call, h.now, seq }
