#!lua flags=allow-oom
--[[ begin_payment: a payment for one hold begins: it lasts until now + payment_ms, once, and its buyer cannot cancel it meanwhile.

Neither the window nor a pause stands against it: the units were set aside while the sale sold. A sale opened before there was a
payment_ms has as long as for a hold. A reservation past its deadline ends as expired here too, exactly as the sweeper would have ended it.

KEYS    1 sale  2 stock  3 users  4 records  5 paying  6 journal
ARGV    1 call  2 epoch  3 caller_ms  4 id  5 user  6 notices
RETURNS paying <call> <now_ms> <seq> <record> <written> | paid <call> <now_ms> <seq> <record> <written> | ended <call> <now_ms> <seq> <record> <written>
        | unknown_reservation <call> | unknown_sale <call> | unknown_schema <call> <schema> | recovering <call> <why>
WRITES  sale, stock, users, records, paying, journal; publishes restock notices     (on the first paying, and on ended of one that is overdue)
REPLAY  again -> paying with the record as it is, no write: one extension
COST    O(lines)
]]
local sale_key, stock_key, users_key, records_key, paying_key, journal_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local call, epoch, caller_ms, id, user, notices = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]

-- read
local h, word, why = fence(sale_key, epoch, caller_ms)
if not h then return { word, call, why } end
local record = redis.call('HGET', records_key, id)
if not record then return { 'unknown_reservation', call } end
local status, began, deadline_ms, owner, lines = record:match('^(%a)(%d+)|(%d+)|([%w_-]+)|([%w_=,-]*)|')
if not status then return { 'recovering', call, 'record' } end
local payment_ms = tonumber(redis.call('HGET', sale_key, 'payment_ms') or h.hold_ms)

-- refuse
if owner ~= user then return { 'unknown_reservation', call } end
if status == 's' then return { 'paid', call, h.now, h.seq, record, 0 } end
if status ~= 'h' and status ~= 'p' then return { 'ended', call, h.now, h.seq, record, 0 } end
local is_overdue = tonumber(deadline_ms) <= h.now
if status == 'p' and not is_overdue then return { 'paying', call, h.now, h.seq, record, 0 } end
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
local seq = h.seq + 1
if is_overdue then
  record = 'e' .. record:sub(2)
  for i, sku in ipairs(skus) do
    redis.call('HSET', stock_key, sku .. '/left', s[2 * i - 1] + quantities[i], sku .. '/held', s[2 * i] - quantities[i])
    local count = u[i + 1] - quantities[i]
    if count > 0 then redis.call('HSET', users_key, user_fields[i + 1], count) else redis.call('HDEL', users_key, user_fields[i + 1]) end
  end
  redis.call('HSET', users_key, user, (u[1] or 0) + 1)
  redis.call('ZREM', paying_key, id)
else
  local until_ms = string.format('%d', h.now + payment_ms)
  record = 'p' .. began .. '|' .. until_ms .. record:sub(#began + #deadline_ms + 3)
  redis.call('ZADD', paying_key, until_ms, id)
end
local bytes = h.bytes + #record + #id
redis.call('HSET', records_key, id, record)
redis.call('XADD', journal_key, '*', 'e', epoch, 's', seq, 'n', 1, 't', h.now, 'b', bytes, id, record)
redis.call('HSET', sale_key, 'seq', seq, 'bytes', bytes, 'last_now_ms', h.now)
for i, sku in ipairs(skus) do
  if is_overdue and s[2 * i - 1] == '0' then
    redis.call('HSET', stock_key, sku .. '/restocked', seq)
    redis.call('PUBLISH', notices, sale_key .. ' ' .. sku .. ' ' .. seq)
  end
end
return { is_overdue and 'ended' or 'paying', call, h.now, seq, record, 1 }
