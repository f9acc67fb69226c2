#!lua flags=no-writes
--[[ find: one reservation, in its present state.

KEYS    1 sale  2 records
ARGV    1 call  2 epoch  3 caller_ms  4 id
RETURNS found <call> <now_ms> <seq> <record> | unknown_reservation <call> | unknown_sale <call> | unknown_schema <call> <schema>
        | recovering <call> <why>
WRITES  nothing
REPLAY  a read
COST    O(1)
]]
local sale_key, records_key = KEYS[1], KEYS[2]
local call, epoch, caller_ms, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

-- read
local h, word, why = fence(sale_key, epoch, caller_ms)
local record = redis.call('HGET', records_key, id)

-- refuse
if not h then return { word, call, why } end
if not record then return { 'unknown_reservation', call } end
return { 'found', call, h.now, h.seq, record }
