#!lua flags=no-writes
--[[ snapshot: one consistent look at a sale, for views, metrics and audits. It decides nothing, so it does not ask whether the sale may sell.

KEYS    1 sale  2 stock  3 records  4 order  5 journal
ARGV    1 call
RETURNS snapshot <call> <now_ms> <run_id> {sale fields}.. {stock fields}.. <records> <order> <entries> | unknown_sale <call>
        | unknown_schema <call> <schema> | recovering <call> <why>
WRITES  nothing
REPLAY  a read
COST    O(skus)
]]
local sale_key, stock_key, records_key, order_key, journal_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local call = ARGV[1]

-- read
local h, word, why = head(sale_key)
local t = redis.call('TIME')

-- refuse
if not h then return { word, call, why } end
return { 'snapshot', call, t[1] * 1000 + math.floor(t[2] / 1000), server_run_id(), redis.call('HGETALL', sale_key), redis.call('HGETALL', stock_key),
  redis.call('HLEN', records_key), redis.call('LLEN', order_key), redis.call('XLEN', journal_key) }
