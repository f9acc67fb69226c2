#!lua flags=allow-oom
--[[ swap: put a rebuilt sale in the place of the one as it is, in its new generation, and vouch for it: from here on it sells.

Every sku's `restocked` is set to the event that this writes, so that no shield from before outlives it. `kept` units of a sku are for
receipts alone until grace_ms have passed.

KEYS    1 sale  2 stock  3 users  4 records  5 order  6 paying  7 adjusts  8 returns  9 journal  10 rebuild  11 next_users  12 next_records  13 next_order
        14 next_paying  15 next_adjusts  16 next_returns
ARGV    1 call  2 epoch  3 caller_ms  4 run_id  5 state  6 opens_ms  7 closes_ms  8 hold_ms  9 payment_ms  10 config  11 books_seq  12 last_now_ms
        13 event  14 grace_ms  15 users_count  16 records_count  17 order_count  18 paying_count  19 adjusts_count  20 returns_count  then per sku: sku stocked left held sold limit kept
RETURNS swapped <call> <seq> | already <call> | overtaken <call> <epoch> | recovering <call> <why>
WRITES  sale, stock, users, records, order, paying, adjusts, returns, journal, rebuild, next_users, next_records, next_order, next_paying, next_adjusts, next_returns
        (only on swapped)
REPLAY  again -> already, no write
COST    O(skus): keys change their names, and what is big is freed beside
]]
local sale_key, stock_key, users_key, records_key, order_key, paying_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local adjusts_key, returns_key, journal_key, rebuild_key = KEYS[7], KEYS[8], KEYS[9], KEYS[10]
local next_users_key, next_records_key, next_order_key = KEYS[11], KEYS[12], KEYS[13]
local next_paying_key, next_adjusts_key, next_returns_key = KEYS[14], KEYS[15], KEYS[16]
local call, epoch, caller_ms, run_id, state = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local opens_ms, closes_ms, hold_ms, payment_ms, config, books_seq = ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11]
local last_now_ms, event, grace_ms = tonumber(ARGV[12]), ARGV[13], tonumber(ARGV[14])
local users_count, records_count, order_count = tonumber(ARGV[15]), tonumber(ARGV[16]), tonumber(ARGV[17])
local paying_count, adjusts_count, returns_count = tonumber(ARGV[18]), tonumber(ARGV[19]), tonumber(ARGV[20])

-- read
local there = tonumber(redis.call('HGET', sale_key, 'epoch') or 0)
local staked = tonumber(redis.call('HGET', rebuild_key, 'epoch') or 0)
local loaded = redis.call('HLEN', next_users_key) == users_count and redis.call('HLEN', next_records_key) == records_count
  and redis.call('LLEN', next_order_key) == order_count and redis.call('ZCARD', next_paying_key) == paying_count
  and redis.call('HLEN', next_adjusts_key) == adjusts_count and redis.call('HLEN', next_returns_key) == returns_count
local now = clock(last_now_ms, caller_ms)

-- refuse
if there == tonumber(epoch) then return { 'already', call } end
if there > tonumber(epoch) then return { 'overtaken', call, there } end
if staked ~= tonumber(epoch) then return { 'overtaken', call, staked } end
if server_run_id() ~= run_id then return { 'recovering', call, 'run_id' } end
if not now then return { 'recovering', call, 'clock' } end
if not loaded then return { 'recovering', call, 'records' } end
local seq, stock = tonumber(books_seq) + 1, {}
for i = 21, #ARGV, 7 do
  local sku, stocked, left, held, sold, limit, kept = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5], ARGV[i + 6]
  if stocked - left - held - sold ~= 0 then return { 'recovering', call, 'conservation' } end
  local fields = { stocked = stocked, left = left, held = held, sold = sold, limit = limit, restocked = seq }
  if kept ~= '0' then fields.kept = kept .. '|' .. string.format('%d', now + grace_ms) end
  for field, value in pairs(fields) do
    stock[#stock + 1] = sku .. '/' .. field
    stock[#stock + 1] = value
  end
end

-- write
redis.call('UNLINK', sale_key)
redis.call('UNLINK', stock_key)
redis.call('UNLINK', users_key)
redis.call('UNLINK', records_key)
redis.call('UNLINK', order_key)
redis.call('UNLINK', paying_key)
redis.call('UNLINK', adjusts_key)
redis.call('UNLINK', returns_key)
redis.call('UNLINK', journal_key)
redis.call('UNLINK', rebuild_key)
if users_count > 0 then redis.call('RENAME', next_users_key, users_key) end
if records_count > 0 then redis.call('RENAME', next_records_key, records_key) end
if order_count > 0 then redis.call('RENAME', next_order_key, order_key) end
if paying_count > 0 then redis.call('RENAME', next_paying_key, paying_key) end
if adjusts_count > 0 then redis.call('RENAME', next_adjusts_key, adjusts_key) end
if returns_count > 0 then redis.call('RENAME', next_returns_key, returns_key) end
for i = 1, #stock, 1000 do redis.call('HSET', stock_key, unpack(stock, i, math.min(i + 999, #stock))) end
local bytes = #event + 16
redis.call('XADD', journal_key, '*', 'e', epoch, 's', seq, 'n', 1, 't', now, 'b', bytes, 'N', event)
redis.call('HSET', sale_key, 'schema', SCHEMA, 'epoch', epoch, 'run_id', run_id, 'state', state, 'opens_ms', opens_ms,
  'closes_ms', closes_ms, 'hold_ms', hold_ms, 'payment_ms', payment_ms, 'seq', seq, 'flushed_seq', books_seq, 'bytes', bytes, 'flushed_bytes', 0,
  'last_now_ms', now, 'config', config)
return { 'swapped', call, seq }
