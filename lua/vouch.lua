#!lua flags=allow-oom
--[[ vouch: a writer's word that this Redis is as new as the books: from here on the sale sells on this server process.

The writer holds the sale's cursor lock, has seen Redis at `seq` with the cursor's own entry in the journal, and has found no live engine
that saw more. If anything moved meanwhile, nothing is written and the writer looks again.

KEYS    1 sale  2 journal
ARGV    1 call  2 epoch  3 seq  4 entry_id  5 run_id
RETURNS vouched <call> <run_id> | already <call> <run_id> | moved <call> <seq> | unknown_sale <call> | unknown_schema <call> <schema>
        | recovering <call> <why>
WRITES  sale                      (only on vouched)
REPLAY  a second vouch -> already, no write
COST    O(1)
]]
local sale_key, journal_key = KEYS[1], KEYS[2]
local call, epoch, seq, entry_id, run_id = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]

-- read
local h, word, why = head(sale_key)
if not h then return { word, call, why } end
local server = server_run_id()
local entry = redis.call('XRANGE', journal_key, entry_id, entry_id)

-- refuse
if h.epoch ~= epoch then return { 'recovering', call, 'epoch' } end
if server ~= run_id then return { 'recovering', call, 'run_id' } end
if h.run_id == run_id then return { 'already', call, run_id } end
if h.seq ~= seq then return { 'moved', call, h.seq } end
if not entry[1] then return { 'recovering', call, 'journal' } end

-- write
redis.call('HSET', sale_key, 'run_id', run_id)
return { 'vouched', call, run_id }
