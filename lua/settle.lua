#!lua flags=allow-oom
--[[ settle: the payment of one reservation was captured: its units are sold.

One whose time is up, or that ended before the payment was heard of, is paid only if reacquire is 1, with units that are left now. Window
and limits are not asked again, for its money is taken; stock is. The journal then says first that it has its units again. Without units, or without reacquire, it is gone, and what was captured
has to be given back. One that was refunded stays so.

KEYS    1 sale  2 stock  3 users  4 records  5 paying  6 journal
ARGV    1 call  2 epoch  3 caller_ms  4 id  5 user  6 reacquire  7 notices
RETURNS paid <call> <now_ms> <seq> <record> {field value}.. | gone <call> <now_ms> <seq> <record> {field value}.. | not_paying <call> <now_ms> <seq> <record> {field value}..
        | unknown_reservation <call> | unknown_sale <call> | unknown_schema <call> <schema> | recovering <call> <why>
WRITES  sale, stock, users, records, paying, journal; publishes restock notices     (on the first paid, and on gone of one that is overdue)
REPLAY  again -> paid with the record, or gone with it; no write
COST    O(lines)
]]
local sale_key, stock_key, users_key, records_key, paying_key, journal_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local call, epoch, caller_ms, id, user, reacquire, notices = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
if reacquire ~= '0' and reacquire ~= '1' then return redis.error_reply('BADARG reacquire') end

-- read
local h, word, why = fence(sale_key, epoch, caller_ms)
if not h then return { word, call, why } end
local record = redis.call('HGET', records_key, id)
if not record then return { 'unknown_reservation', call } end
local status, deadline_ms, owner, lines = record:match('^(%a)%d+|(%d+)|([%w_-]+)|([%w_=,-]*)|')
if not status then return { 'recovering', call, 'record' } end

-- refuse
if owner ~= user then return { 'unknown_reservation', call } end
if status == 's' then return { 'paid', call, h.now, h.seq, record, {} } end
if status == 'h' then return { 'not_paying', call, h.now, h.seq, record, {} } end
local was_held = status == 'p'
local is_late = not was_held or tonumber(deadline_ms) <= h.now
if status == 'r' or (not was_held and reacquire == '0') then return { 'gone', call, h.now, h.seq, record, {} } end
local FIELDS, stock_fields, user_fields, quantities, skus = 5, {}, { user }, {}, {}
for sku, quantity in lines:gmatch('([%w_-]+)=(%d+)') do
  skus[#skus + 1] = sku
  quantities[#quantities + 1] = tonumber(quantity)
  for _, field in ipairs({ 'stocked', 'left', 'held', 'sold', 'kept' }) do stock_fields[#stock_fields + 1] = sku .. '/' .. field end
  user_fields[#user_fields + 1] = user .. '/' .. sku
end
local s = redis.call('HMGET', stock_key, unpack(stock_fields))
local u = redis.call('HMGET', users_key, unpack(user_fields))
local stock, is_short = {}, false
for i, quantity in ipairs(quantities) do
  local at = FIELDS * (i - 1)
  for j = 1, 4 do if not s[at + j] then return { 'recovering', call, 'stock' } end end
  local left, held, sold, kept = tonumber(s[at + 2]), tonumber(s[at + 3]), tonumber(s[at + 4]), 0
  if s[at + 1] - left - held - sold ~= 0 then return { 'recovering', call, 'conservation' } end
  if s[at + 5] then
    -- Units that are for receipts alone, for a while after a loss.
    local units, until_ms = s[at + 5]:match('^(%d+)|(%d+)$')
    if tonumber(until_ms) > h.now then kept = math.min(tonumber(units), left) end
  end
  if was_held and held < quantity then return { 'recovering', call, 'stock' } end
  if was_held and tonumber(u[i + 1] or 0) < quantity then return { 'recovering', call, 'users' } end
  if left - kept < quantity then is_short = true end
  stock[i] = { left = left, held = held, sold = sold }
end
if not was_held and tonumber(u[1] or 0) < 1 then return { 'recovering', call, 'users' } end
if not was_held and is_short then return { 'gone', call, h.now, h.seq, record, {} } end

-- write
local ends, rows, counts = is_late and reacquire == '0', {}, {}
if not was_held then rows = { 'Q', id .. record } end
record = (ends and 'e' or 's') .. record:sub(2)
rows[#rows + 1] = id
rows[#rows + 1] = record
local seq, bytes = h.seq + #rows / 2, h.bytes
for i = 2, #rows, 2 do bytes = bytes + #rows[i] + 16 end
for i, sku in ipairs(skus) do
  local units, quantity = stock[i], quantities[i]
  counts[i] = tonumber(u[i + 1] or 0)
  if ends then
    redis.call('HSET', stock_key, sku .. '/left', units.left + quantity, sku .. '/held', units.held - quantity)
    counts[i] = counts[i] - quantity
  elseif was_held then
    redis.call('HSET', stock_key, sku .. '/held', units.held - quantity, sku .. '/sold', units.sold + quantity)
  else
    redis.call('HSET', stock_key, sku .. '/left', units.left - quantity, sku .. '/sold', units.sold + quantity)
    counts[i] = counts[i] + quantity
  end
  if counts[i] > 0 then redis.call('HSET', users_key, user_fields[i + 1], counts[i]) else redis.call('HDEL', users_key, user_fields[i + 1]) end
end
local ended = tonumber(u[1] or 0) + (ends and 1 or was_held and 0 or -1)
if ended > 0 then redis.call('HSET', users_key, user, ended) else redis.call('HDEL', users_key, user) end
redis.call('ZREM', paying_key, id)
redis.call('HSET', records_key, id, record)
redis.call('XADD', journal_key, '*', 'e', epoch, 's', h.seq + 1, 'n', #rows / 2, 't', h.now, 'b', bytes, unpack(rows))
redis.call('HSET', sale_key, 'seq', seq, 'bytes', bytes, 'last_now_ms', h.now)
for i, sku in ipairs(skus) do
  if ends and stock[i].left == 0 then
    redis.call('HSET', stock_key, sku .. '/restocked', seq)
    redis.call('PUBLISH', notices, sale_key .. ' ' .. sku .. ' ' .. seq)
  end
end
return { ends and 'gone' or 'paid', call, h.now, seq, record, rows }
