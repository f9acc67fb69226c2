#!lua flags=allow-oom
--[[ cancel: end one hold at its buyer's wish and put its units back on sale.

A hold past its deadline ends as expired here too, exactly as the sweeper would have ended it, and the buyer is told so; likewise one
whose payment is past it.

KEYS    1 sale  2 stock  3 users  4 records  5 paying  6 journal
ARGV    1 call  2 epoch  3 caller_ms  4 id  5 user  6 notices
RETURNS cancelled <call> <now_ms> <seq> <record> <written> | ended <call> <now_ms> <seq> <record> <written> | unknown_reservation <call> | in_flight <call> <record>
        | unknown_sale <call> | unknown_schema <call> <schema> | recovering <call> <why>
WRITES  sale, stock, users, records, paying, journal; publishes restock notices     (on cancelled, and on ended of an overdue hold)
REPLAY  again -> ended with the record (its first letter says how it ended), no write
COST    O(lines)
]]
local sale_key, stock_key, users_key, records_key, paying_key, journal_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local call, epoch, caller_ms, id, user, notices = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]

-- read
local h, word, why = fence(sale_key, epoch, caller_ms)
if not h then return { word, call, why } end
local record = redis.call('HGET', records_key, id)
if not record then return { 'unknown_reservation', call } end
local status, deadline_ms, owner, lines = record:match('^(%a)%d+|(%d+)|([%w_-]+)|([%w_=,-]*)|')
if not status then return { 'recovering', call, 'record' } end

-- refuse
if owner ~= user then return { 'unknown_reservation', call } end
local is_overdue = tonumber(deadline_ms) <= h.now
if status == 'p' and not is_overdue then return { 'in_flight', call, record } end
if status ~= 'h' and status ~= 'p' then return { 'ended', call, h.now, h.seq, record, 0 } end
local stock_fields, user_fields, quantities, skus = {}, { user }, {}, {}
for sku, quantity in lines:gmatch('([%w_-]+)=(%d+)') do
  skus[#skus + 1] = sku
  quantities[#quantities + 1] = tonumber(quantity)
  stock_fields[#stock_fields + 1] = sku .. '/left'
  stock_fields[#stock_fields + 1] = sku .. '/held'
  user_fields[#user_fields + 1] = user .. '/' .. sku
end
local s = redis.call('HMGET', stock_key, unpack(stock_fields))
local u = redis.call('HMGET', users_key, unpack(user_fields))
for i, quantity in ipairs(quantities) do
  if not s[2 * i - 1] or not s[2 * i] or tonumber(s[2 * i]) < quantity then return { 'recovering', call, 'stock' } end
  if not u[i + 1] or tonumber(u[i + 1]) < quantity then return { 'recovering', call, 'users' } end
end

-- write
local how = is_overdue and 'e' or 'c'
local seq = h.seq + 1
record = how .. record:sub(2)
local bytes = h.bytes + #record + #id
for i, sku in ipairs(skus) do
  redis.call('HSET', stock_key, sku .. '/left', s[2 * i - 1] + quantities[i], sku .. '/held', s[2 * i] - quantities[i])
  local count = u[i + 1] - quantities[i]
  if count > 0 then redis.call('HSET', users_key, user_fields[i + 1], count) else redis.call('HDEL', users_key, user_fields[i + 1]) end
end
redis.call('HSET', users_key, user, (u[1] or 0) + 1)
if status == 'p' then redis.call('ZREM', paying_key, id) end
redis.call('HSET', records_key, id, record)
redis.call('XADD', journal_key, '*', 'e', epoch, 's', seq, 'n', 1, 't', h.now, 'b', bytes, id, record)
redis.call('HSET', sale_key, 'seq', seq, 'bytes', bytes, 'last_now_ms', h.now)
for i, sku in ipairs(skus) do
  if s[2 * i - 1] == '0' then
    redis.call('HSET', stock_key, sku .. '/restocked', seq)
    redis.call('PUBLISH', notices, sale_key .. ' ' .. sku .. ' ' .. seq)
  end
end
return { how == 'c' and 'cancelled' or 'ended', call, h.now, seq, record, 1 }
