#!lua flags=allow-oom
--[[ sweep: end the holds whose deadline has passed, from the head of the order list and of those being paid, and put their units back on sale.

Holds of one sale share one duration and Redis time never goes back, so they end in the order in which they began. Heads that ended
otherwise, or are being paid, are dropped; the first hold that is not yet due stops the sweep of the list. A payment has a deadline of its
own, by which those being paid are sorted, or a little later where the sale was rebuilt; what is paid for no more is only dropped there. Of both together at most batch_max are looked at, and of neither so many that the other has to
wait. In the reply, oldest_ms is the earliest deadline of what this call ended, 0 if nothing, and no hold is due before next_ms.

KEYS    1 sale  2 stock  3 users  4 records  5 order  6 paying  7 journal
ARGV    1 call  2 epoch  3 caller_ms  4 batch_max  5 notices
RETURNS swept <call> <now_ms> <seq> <released> <oldest_ms> <next_ms> {id record}.. | unknown_sale <call> | unknown_schema <call> <schema>
        | recovering <call> <why>
WRITES  sale, stock, users, records, order, paying, journal; publishes restock notices     (only if some head ended)
REPLAY  again -> swept 0
COST    O(batch_max + log of those being paid)
]]
local sale_key, stock_key, users_key, records_key, order_key, paying_key, journal_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local call, epoch, caller_ms, batch_max, notices = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]

-- read
local h, word, why = fence(sale_key, epoch, caller_ms)
if not h then return { word, call, why } end
local payment_ms = tonumber(redis.call('HGET', sale_key, 'payment_ms') or h.hold_ms)
local paying_max = math.floor(batch_max / 2)
local now_ms = string.format('%d', h.now)
local unpaid = redis.call('ZRANGE', paying_key, '-inf', now_ms, 'BYSCORE', 'LIMIT', 0, paying_max)
local next_paying = redis.call('ZRANGE', paying_key, '(' .. now_ms, '+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')
local order_max = batch_max - #unpaid
local ids = redis.call('LRANGE', order_key, 0, order_max - 1)

local due, popped, oldest_ms, next_ms = {}, 0, 0, h.now
local stock_fields, user_fields, known = {}, {}, {}
local function want(fields, field)
  if not known[field] then
    known[field] = true
    fields[#fields + 1] = field
  end
end
local function end_hold(id, record, deadline_ms, user, lines)
  if oldest_ms == 0 or deadline_ms < oldest_ms then oldest_ms = deadline_ms end
  local hold = { id = id, record = 'e' .. record:sub(2), user = user, lines = {} }
  want(user_fields, user)
  for sku, quantity in lines:gmatch('([%w_-]+)=(%d+)') do
    hold.lines[#hold.lines + 1] = { sku = sku, quantity = tonumber(quantity), field = user .. '/' .. sku }
    want(user_fields, user .. '/' .. sku)
    want(stock_fields, '/' .. sku)
  end
  due[#due + 1] = hold
end
local listed = #ids > 0 and redis.call('HMGET', records_key, unpack(ids)) or {}
for i, record in ipairs(listed) do
  if not record then return { 'recovering', call, 'records' } end
  local status, deadline_ms, user, lines = record:match('^(%a)%d+|(%d+)|([%w_-]+)|([%w_=,-]*)|')
  if not status then return { 'recovering', call, 'record' } end
  if status == 'h' then
    deadline_ms = tonumber(deadline_ms)
    if deadline_ms > h.now then
      next_ms = deadline_ms
      break
    end
    end_hold(ids[i], record, deadline_ms, user, lines)
  end
  popped = i
end
if popped == #ids and #ids < order_max then next_ms = h.now + h.hold_ms end
local charged = #unpaid > 0 and redis.call('HMGET', records_key, unpack(unpaid)) or {}
for i, record in ipairs(charged) do
  if not record then return { 'recovering', call, 'records' } end
  local status, deadline_ms, user, lines = record:match('^(%a)%d+|(%d+)|([%w_-]+)|([%w_=,-]*)|')
  if not status then return { 'recovering', call, 'record' } end
  if status == 'p' then
    if tonumber(deadline_ms) > h.now then return { 'recovering', call, 'record' } end
    end_hold(unpaid[i], record, tonumber(deadline_ms), user, lines)
  end
end
if #unpaid == paying_max then
  next_ms = h.now
else
  -- A payment that begins from now on is due no sooner than payment_ms from now.
  next_ms = math.min(next_ms, tonumber(next_paying[2] or h.now + payment_ms), h.now + payment_ms)
end

-- refuse: nothing to write, or counters that do not hold what would be given back
local stock, users = {}, {}
for _, name in ipairs(stock_fields) do
  local sku = name:sub(2)
  local s = redis.call('HMGET', stock_key, sku .. '/left', sku .. '/held')
  if not s[1] or not s[2] then return { 'recovering', call, 'stock' } end
  stock[sku] = { left = tonumber(s[1]), held = tonumber(s[2]), was = s[1] }
end
if #user_fields > 0 then
  for i, count in ipairs(redis.call('HMGET', users_key, unpack(user_fields))) do users[user_fields[i]] = tonumber(count or 0) end
end
local seq, bytes, rows = h.seq, h.bytes, {}
for _, hold in ipairs(due) do
  for _, line in ipairs(hold.lines) do
    local sku = stock[line.sku]
    sku.left, sku.held = sku.left + line.quantity, sku.held - line.quantity
    users[line.field] = users[line.field] - line.quantity
    if sku.held < 0 then return { 'recovering', call, 'stock' } end
    if users[line.field] < 0 then return { 'recovering', call, 'users' } end
  end
  users[hold.user] = users[hold.user] + 1
  seq, bytes = seq + 1, bytes + #hold.record + #hold.id
  rows[#rows + 1] = hold.id
  rows[#rows + 1] = hold.record
end

-- write
if popped > 0 then redis.call('LTRIM', order_key, popped, -1) end
if #unpaid > 0 then redis.call('ZREM', paying_key, unpack(unpaid)) end
if #due > 0 then
  for sku, s in pairs(stock) do
    redis.call('HSET', stock_key, sku .. '/left', s.left, sku .. '/held', s.held)
    if s.was == '0' then redis.call('HSET', stock_key, sku .. '/restocked', seq) end
  end
  for field, count in pairs(users) do
    if count > 0 then redis.call('HSET', users_key, field, count) else redis.call('HDEL', users_key, field) end
  end
  redis.call('HSET', records_key, unpack(rows))
  redis.call('XADD', journal_key, '*', 'e', epoch, 's', h.seq + 1, 'n', #due, 't', h.now, 'b', bytes, unpack(rows))
  redis.call('HSET', sale_key, 'seq', seq, 'bytes', bytes, 'last_now_ms', h.now)
  for sku, s in pairs(stock) do
    if s.was == '0' then redis.call('PUBLISH', notices, sale_key .. ' ' .. sku .. ' ' .. seq) end
  end
end
return { 'swept', call, h.now, seq, #due, oldest_ms, next_ms, rows }
