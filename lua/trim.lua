#!lua flags=allow-oom
--[[ trim: after a committed transaction, drop the journal entries before the cursor's own and note how far the books are.

The cursor's entry itself stays: it is what the next writer, or a vouch, compares with the books. Needs no vouching: it only removes
what MySQL already has.

KEYS    1 sale  2 journal
ARGV    1 call  2 epoch  3 entry_id  4 flushed_seq  5 notices
RETURNS trimmed <call> <removed> | stale <call> <flushed_seq> | unknown_sale <call> | unknown_schema <call> <schema> | recovering <call> <why>
WRITES  sale, journal; publishes how far the books are     (only on trimmed)
REPLAY  an older or equal cursor -> stale, no write
COST    O(entries removed)
]]
local sale_key, journal_key = KEYS[1], KEYS[2]
local call, epoch, entry_id, flushed_seq, notices = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]

-- read
local h, word, why = head(sale_key)
if not h then return { word, call, why } end
local entry = redis.call('XRANGE', journal_key, entry_id, entry_id)

-- refuse
if h.epoch ~= epoch then return { 'recovering', call, 'epoch' } end
if not entry[1] or h.seq < flushed_seq then return { 'recovering', call, 'journal' } end
if h.flushed_seq >= flushed_seq then return { 'stale', call, h.flushed_seq } end

-- write
local bytes
for i = 1, #entry[1][2], 2 do
  if entry[1][2][i] == 'b' then
    bytes = entry[1][2][i + 1]
    break
  end
end
redis.call('HSET', sale_key, 'flushed_seq', flushed_seq, 'flushed_bytes', bytes)
redis.call('PUBLISH', notices, sale_key .. ' ' .. epoch .. ' ' .. string.format('%d', flushed_seq))
return { 'trimmed', call, redis.call('XTRIM', journal_key, 'MINID', entry_id) }
