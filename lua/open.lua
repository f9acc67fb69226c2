#!lua
--[[ open: put a published sale (or coupon) into Redis with its stock, window and rules. It sells once a writer has vouched for it.

Whether it may be opened at all (never published, or published and surely never sold) is for the books to say; see publish in the back-office.

KEYS    1 sale  2 stock  3 users  4 records  5 journal
ARGV    1 call  2 epoch  3 caller_ms  4 opens_ms  5 closes_ms  6 hold_ms  7 payment_ms  8 config  then per sku: sku stock limit
RETURNS opened <call> <seq> | already <call> <epoch> | recovering <call> <why>
WRITES  sale, stock, journal      (only on opened)
REPLAY  a second open -> already, no write
COST    O(skus)
]]
local sale_key, stock_key, users_key, records_key, journal_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local call, epoch, caller_ms, opens_ms, closes_ms, hold_ms, payment_ms, config = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
if #ARGV < 11 then return redis.error_reply('BADARG skus') end

-- read
local there = redis.call('HGET', sale_key, 'epoch')
local leftovers = redis.call('EXISTS', stock_key, users_key, records_key, journal_key)
local now = clock(0, tonumber(caller_ms))

-- refuse
if there then return { 'already', call, there } end
if leftovers > 0 then return { 'recovering', call, 'leftovers' } end
if not now then return { 'recovering', call, 'clock' } end

-- write
local stock, opened = {}, {}
for i = 9, #ARGV, 3 do
  local sku, units, limit = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  for field, value in pairs({ stocked = units, left = units, held = 0, sold = 0, limit = limit, restocked = 0 }) do
    stock[#stock + 1] = sku .. '/' .. field
    stock[#stock + 1] = value
  end
  opened[#opened + 1] = sku .. '=' .. units
end
local event = table.concat(opened, ',')
local bytes = #event + 16
for i = 1, #stock, 1000 do redis.call('HSET', stock_key, unpack(stock, i, math.min(i + 999, #stock))) end
redis.call('XADD', journal_key, '*', 'e', epoch, 's', 1, 'n', 1, 't', now, 'b', bytes, 'O', event)
redis.call('HSET', sale_key, 'schema', SCHEMA, 'epoch', epoch, 'run_id', '', 'state', 'open', 'opens_ms', opens_ms,
  'closes_ms', closes_ms, 'hold_ms', hold_ms, 'payment_ms', payment_ms, 'seq', 1, 'flushed_seq', 0, 'bytes', bytes, 'flushed_bytes', 0,
  'last_now_ms', now, 'config', config)
return { 'opened', call, 1 }
