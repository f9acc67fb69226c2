#!lua
--[[ adjust: change the stock of one sku by a signed number of units, once per key. Stock changes in no other way while a sale lives.

KEYS    1 sale  2 stock  3 adjusts  4 journal
ARGV    1 call  2 epoch  3 caller_ms  4 key  5 sku  6 by  7 adjusts_max  8 notices
RETURNS adjusted <call> <seq> <left> | repeat <call> <seq> <left> | mismatch <call> | unknown_sku <call> | insufficient <call> <left>
        | too_many <call> | closed <call> | unknown_sale <call> | unknown_schema <call> <schema> | recovering <call> <why>
WRITES  sale, stock, adjusts, journal; publishes a restock notice     (only on adjusted)
REPLAY  same key, sku and by -> repeat with the first result, no write
COST    O(1)
]]
local sale_key, stock_key, adjusts_key, journal_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local call, epoch, caller_ms, key, sku, by = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local adjusts_max, notices = tonumber(ARGV[7]), ARGV[8]
if not by or by == 0 or by % 1 ~= 0 or math.abs(by) > 1e9 then return redis.error_reply('BADARG by') end

-- read
local h, word, why = fence(sale_key, epoch, caller_ms)
if not h then return { word, call, why } end
local done = redis.call('HGET', adjusts_key, key)
local count = redis.call('HLEN', adjusts_key)
local s = redis.call('HMGET', stock_key, sku .. '/stocked', sku .. '/left', sku .. '/held', sku .. '/sold')

-- refuse
if done then
  local seq, left, was_sku, was_by = done:match('^(%d+)|(%d+)|([%w_-]+)|(-?%d+)$')
  if was_sku ~= sku or tonumber(was_by) ~= by then return { 'mismatch', call } end
  return { 'repeat', call, tonumber(seq), tonumber(left) }
end
if h.state == 'closed' then return { 'closed', call } end
if not s[1] then return { 'unknown_sku', call } end
if s[1] - s[2] - s[3] - s[4] ~= 0 then return { 'recovering', call, 'conservation' } end
local left = s[2] + by
if left < 0 then return { 'insufficient', call, tonumber(s[2]) } end
if count >= adjusts_max then return { 'too_many', call } end

-- write
local seq = h.seq + 1
local event = sku .. '|' .. by .. '|' .. key
local bytes = h.bytes + #event + 16
redis.call('HSET', stock_key, sku .. '/stocked', s[1] + by, sku .. '/left', left)
redis.call('HSET', adjusts_key, key, seq .. '|' .. left .. '|' .. sku .. '|' .. by)
redis.call('XADD', journal_key, '*', 'e', epoch, 's', seq, 'n', 1, 't', h.now, 'b', bytes, 'A', event)
redis.call('HSET', sale_key, 'seq', seq, 'bytes', bytes, 'last_now_ms', h.now)
if s[2] == '0' then
  redis.call('HSET', stock_key, sku .. '/restocked', seq)
  redis.call('PUBLISH', notices, sale_key .. ' ' .. sku .. ' ' .. seq)
end
return { 'adjusted', call, seq, left }
