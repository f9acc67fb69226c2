#!lua flags=allow-oom
--[[ withdraw: take a vouch back. A writer has found that Redis does not continue the books; the sale sells no more until it is vouched for anew.

KEYS    1 sale
ARGV    1 call
RETURNS withdrawn <call> | already <call> | unknown_sale <call> | unknown_schema <call> <schema> | recovering <call> <why>
WRITES  sale                      (only on withdrawn)
REPLAY  again -> already, no write
COST    O(1)
]]
local sale_key = KEYS[1]
local call = ARGV[1]

-- read
local h, word, why = head(sale_key)

-- refuse
if not h then return { word, call, why } end
if h.run_id == '' then return { 'already', call } end

-- write
redis.call('HSET', sale_key, 'run_id', '')
return { 'withdrawn', call }
