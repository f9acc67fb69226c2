#!lua
--[[ honour: write a reservation anew that was accepted in an earlier generation and lost since, as its receipt proves.

Its units come from all that is left, also from what is kept for receipts. It was accepted while the sale was open, so neither the window
nor a pause stands against it; stock and limits do. It gets a whole hold, for its own time may have passed in the loss.

KEYS    1 sale  2 stock  3 users  4 records  5 order  6 journal
ARGV    1 call  2 epoch  3 caller_ms  4 id  5 user  6 body  7 lines  8 proven_epoch
RETURNS honoured <call> <now_ms> <seq> <deadline_ms> | repeat <call> <now_ms> <seq> <record> | mismatch <call> | not_lost <call> | sold_out <call> <sku> <left>
        | limit_reached <call> <sku> <limit> | unknown_sku <call> <sku> | unknown_sale <call> | unknown_schema <call> <schema> | recovering <call> <why>
WRITES  sale, stock, users, records, order, journal     (only on honoured)
REPLAY  again -> repeat with the record, no write
COST    O(lines)
]]
local sale_key, stock_key, users_key, records_key, order_key, journal_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local call, epoch, caller_ms, id, user, body, lines = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local proven_epoch = tonumber(ARGV[8])
if not proven_epoch then return redis.error_reply('BADARG epoch') end

-- read
local h, word, why = fence(sale_key, epoch, caller_ms)
if not h then return { word, call, why } end
local record = redis.call('HGET', records_key, id)
local wishes, stock_fields, user_fields, length = {}, {}, {}, -1
for sku, quantity in lines:gmatch('([^=,]+)=(%d+)') do
  wishes[#wishes + 1] = { sku = sku, quantity = tonumber(quantity) }
  length = length + #sku + #quantity + 2
  user_fields[#user_fields + 1] = user .. '/' .. sku
  for _, field in ipairs({ 'stocked', 'left', 'held', 'sold', 'limit', 'kept' }) do stock_fields[#stock_fields + 1] = sku .. '/' .. field end
end
if length ~= #lines then return redis.error_reply('BADARG lines') end
local s = redis.call('HMGET', stock_key, unpack(stock_fields))
local u = redis.call('HMGET', users_key, unpack(user_fields))

-- refuse
if record then
  if record:sub(-16) ~= body then return { 'mismatch', call } end
  return { 'repeat', call, h.now, h.seq, record }
end
if proven_epoch >= tonumber(h.epoch) then return { 'not_lost', call } end
for i, wish in ipairs(wishes) do
  local at = 6 * i - 5
  if not s[at] then return { 'unknown_sku', call, wish.sku } end
  if s[at] - s[at + 1] - s[at + 2] - s[at + 3] ~= 0 then return { 'recovering', call, 'conservation' } end
  wish.left, wish.held, wish.limit, wish.kept = tonumber(s[at + 1]), tonumber(s[at + 2]), tonumber(s[at + 4]), s[at + 5]
  wish.count = tonumber(u[i] or 0) + wish.quantity
end
for _, wish in ipairs(wishes) do
  if wish.limit > 0 and wish.count > wish.limit then return { 'limit_reached', call, wish.sku, wish.limit } end
end
for _, wish in ipairs(wishes) do
  if wish.left < wish.quantity then return { 'sold_out', call, wish.sku, wish.left } end
end

-- write
local seq, deadline_ms = h.seq + 1, h.now + h.hold_ms
record = 'h' .. string.format('%d', seq) .. '|' .. string.format('%d', deadline_ms) .. '|' .. user .. '|' .. lines .. '|' .. body
local bytes = h.bytes + #record + #id
for i, wish in ipairs(wishes) do
  redis.call('HSET', stock_key, wish.sku .. '/left', wish.left - wish.quantity, wish.sku .. '/held', wish.held + wish.quantity)
  redis.call('HSET', users_key, user_fields[i], wish.count)
  if wish.kept then
    local units, until_ms = wish.kept:match('^(%d+)|(%d+)$')
    redis.call('HSET', stock_key, wish.sku .. '/kept', math.max(0, units - wish.quantity) .. '|' .. until_ms)
  end
end
redis.call('HSET', records_key, id, record)
redis.call('RPUSH', order_key, id)
redis.call('XADD', journal_key, '*', 'e', epoch, 's', seq, 'n', 1, 't', h.now, 'b', bytes, id, record)
redis.call('HSET', sale_key, 'seq', seq, 'bytes', bytes, 'last_now_ms', h.now)
return { 'honoured', call, h.now, seq, deadline_ms }
