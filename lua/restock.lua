#!lua flags=allow-oom
--[[ restock: put units of a paid reservation back on sale, once per key. When all of them have come back, it is refunded.

What came back by restock and by write_off counts together. The same key under write_off is another return.

KEYS    1 sale  2 stock  3 users  4 records  5 returns  6 journal
ARGV    1 call  2 epoch  3 caller_ms  4 id  5 user  6 key  7 lines  8 notices
RETURNS done <call> <now_ms> <seq> {field value}.. | already <call> <seq> | too_many <call> | not_paid <call> <record> | unknown_reservation <call>
        | unknown_sale <call> | unknown_schema <call> <schema> | recovering <call> <why>
WRITES  sale, stock, users, records, returns, journal; publishes restock notices     (only on done)
REPLAY  same key -> already with the last event of the first time, no write
COST    O(lines)
]]
local sale_key, stock_key, users_key, records_key, returns_key, journal_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local call, epoch, caller_ms, id, user, key, lines, notices = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
if #id ~= 16 or #key == 0 then return redis.error_reply('BADARG key') end
local wishes, wished, length = {}, {}, -1
for sku, quantity in lines:gmatch('([%w_-]+)=(%d+)') do
  if wished[sku] or tonumber(quantity) < 1 then return redis.error_reply('BADARG lines') end
  wishes[#wishes + 1], wished[sku], length = { sku = sku, quantity = tonumber(quantity) }, true, length + #sku + #quantity + 2
end
if length ~= #lines then return redis.error_reply('BADARG lines') end

-- read
local h, word, why = fence(sale_key, epoch, caller_ms)
if not h then return { word, call, why } end
local record = redis.call('HGET', records_key, id)
if not record then return { 'unknown_reservation', call } end
local status, began, owner, bought = record:match('^(%a)(%d+)|%d+|([%w_-]+)|([%w_=,-]*)|')
if not status then return { 'recovering', call, 'record' } end
local r = redis.call('HMGET', returns_key, id, id .. 'B' .. key)
local returned = {}
for sku, units in (r[1] or ''):gmatch('([%w_-]+)=(%d+)') do returned[sku] = tonumber(units) end

-- refuse
if owner ~= user then return { 'unknown_reservation', call } end
if r[2] then return { 'already', call, tonumber(r[2]) } end
if status ~= 's' then return { 'not_paid', call, record } end
local quantities, skus, is_whole = {}, {}, true
for sku, quantity in bought:gmatch('([%w_-]+)=(%d+)') do
  quantities[sku] = tonumber(quantity)
  skus[#skus + 1] = sku
end
local stock_fields, user_fields = {}, { user }
for i, wish in ipairs(wishes) do
  wish.total = (returned[wish.sku] or 0) + wish.quantity
  if wish.total > (quantities[wish.sku] or 0) then return { 'too_many', call } end
  returned[wish.sku] = wish.total
  user_fields[i + 1] = user .. '/' .. wish.sku
  for _, field in ipairs({ 'stocked', 'left', 'held', 'sold' }) do stock_fields[#stock_fields + 1] = wish.sku .. '/' .. field end
end
local totals = {}
for _, sku in ipairs(skus) do
  if returned[sku] then totals[#totals + 1] = sku .. '=' .. string.format('%d', returned[sku]) end
  if returned[sku] ~= quantities[sku] then is_whole = false end
end
local s = redis.call('HMGET', stock_key, unpack(stock_fields))
local u = redis.call('HMGET', users_key, unpack(user_fields))
for i, wish in ipairs(wishes) do
  local at = 4 * i - 3
  for j = at, at + 3 do if not s[j] then return { 'recovering', call, 'stock' } end end
  if s[at] - s[at + 1] - s[at + 2] - s[at + 3] ~= 0 then return { 'recovering', call, 'conservation' } end
  if tonumber(s[at + 3]) < wish.quantity then return { 'recovering', call, 'stock' } end
  if tonumber(u[i + 1] or 0) < wish.quantity then return { 'recovering', call, 'users' } end
  wish.left, wish.sold, wish.count = tonumber(s[at + 1]), tonumber(s[at + 3]), tonumber(u[i + 1])
end

-- write
local seq, bytes, rows = h.seq, h.bytes, {}
for i, wish in ipairs(wishes) do
  local event = id .. began .. '|' .. user .. '|' .. wish.sku .. '|' .. wish.quantity .. '|' .. wish.total .. '|' .. key
  rows[2 * i - 1], rows[2 * i] = 'B', event
  seq, bytes = seq + 1, bytes + #event + 16
  redis.call('HSET', stock_key, wish.sku .. '/left', wish.left + wish.quantity, wish.sku .. '/sold', wish.sold - wish.quantity)
  local count = wish.count - wish.quantity
  if count > 0 then redis.call('HSET', users_key, user_fields[i + 1], count) else redis.call('HDEL', users_key, user_fields[i + 1]) end
end
if is_whole then
  record = 'r' .. record:sub(2)
  rows[#rows + 1] = id
  rows[#rows + 1] = record
  seq, bytes = seq + 1, bytes + #record + #id
  redis.call('HSET', users_key, user, (u[1] or 0) + 1)
  redis.call('HSET', records_key, id, record)
end
redis.call('HSET', returns_key, id, table.concat(totals, ','), id .. 'B' .. key, seq)
redis.call('XADD', journal_key, '*', 'e', epoch, 's', h.seq + 1, 'n', seq - h.seq, 't', h.now, 'b', bytes, unpack(rows))
redis.call('HSET', sale_key, 'seq', seq, 'bytes', bytes, 'last_now_ms', h.now)
for _, wish in ipairs(wishes) do
  if wish.left == 0 then
    redis.call('HSET', stock_key, wish.sku .. '/restocked', seq)
    redis.call('PUBLISH', notices, sale_key .. ' ' .. wish.sku .. ' ' .. seq)
  end
end
return { 'done', call, h.now, seq, rows }
