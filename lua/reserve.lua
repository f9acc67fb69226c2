#!lua
--[[ reserve: decide a batch of reservation requests, in order, each seeing the effects of those before it.

A request takes all of its lines or none. The same id with the same body is the same reservation, for the sale's life; the record is
written with the decrement, so no crash can part them. One journal entry holds the whole batch.

KEYS    1 sale  2 stock  3 users  4 records  5 order  6 journal
ARGV    1 call  2 epoch  3 caller_ms  4 ended_max  5 backlog_events_max  6 backlog_bytes_max
        then per request: id user lines body, with lines as records have them: sku=quantity,..
RETURNS decided <call> <now_ms> <seq> <deadline_ms> {sku left}.. {word ..}.. | unknown_sale <call> | unknown_schema <call> <schema> | recovering <call> <why>
        words: held <seq> <count> (so many requests in a row, numbered from seq on) | repeat <record> | mismatch | sold_out <sku> <left> | limit_reached <sku> <limit> | unknown_sku <sku> | not_open | paused | closed | backlog
WRITES  sale, stock, users, records, order, journal     (only if some request is held)
REPLAY  same id and body -> repeat with the record, no write; refusals are not stored
COST    O(requests + lines): 5 reads, 6 writes a batch
]]
local sale_key, stock_key, users_key, records_key, order_key, journal_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local call, epoch, caller_ms = ARGV[1], ARGV[2], ARGV[3]
local ended_max, backlog_events_max, backlog_bytes_max = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local FIRST, STEP = 7, 4

-- read
local h, word, why = fence(sale_key, epoch, caller_ms)
if not h then return { word, call, why } end
if #ARGV < FIRST or (#ARGV - FIRST + 1) % STEP ~= 0 then return redis.error_reply('BADARG requests') end

-- Most requests of a sale ask for the same: each wish is read once. The index of a wish's first line in `fields` is its user's, plus 1.
local ids, fields, skus, sku_fields, wishes = {}, {}, {}, {}, {}
local fields_count = 0
for at = FIRST, #ARGV, STEP do
  local user, text = ARGV[at + 1], ARGV[at + 2]
  local wish = wishes[text]
  if not wish then
    wish = {}
    local length = -1
    for name, quantity in text:gmatch('([^=,]+)=(%d+)') do
      local sku = skus[name]
      if not sku then
        sku = { name = name }
        skus[name] = sku
        for _, field in ipairs({ 'stocked', 'left', 'held', 'sold', 'limit', 'kept' }) do sku_fields[#sku_fields + 1] = name .. '/' .. field end
      end
      wish[#wish + 1] = { sku = sku, name = name, quantity = tonumber(quantity) }
      length = length + #name + #quantity + 2
      if tonumber(quantity) < 1 then return redis.error_reply('BADARG quantity') end
    end
    if length ~= #text then return redis.error_reply('BADARG lines') end
    wishes[text] = wish
  end
  ids[#ids + 1] = ARGV[at]
  fields_count = fields_count + 1
  fields[fields_count] = user
  for i = 1, #wish do fields[fields_count + i] = user .. '/' .. wish[i].name end
  fields_count = fields_count + #wish
end

local records, users = {}, {}
for i, record in ipairs(redis.call('HMGET', records_key, unpack(ids))) do
  if record then records[ids[i]] = record end
end
for i, count in ipairs(redis.call('HMGET', users_key, unpack(fields))) do
  if count then users[fields[i]] = tonumber(count) end
end
local s = redis.call('HMGET', stock_key, unpack(sku_fields))
for i = 1, #sku_fields, 6 do
  local sku = skus[sku_fields[i]:match('^(.*)/')]
  if s[i] then
    sku.left, sku.held, sku.limit, sku.kept = tonumber(s[i + 1]), tonumber(s[i + 2]), tonumber(s[i + 4]), 0
    if s[i + 5] then
      -- Units that are for receipts alone, for a while after a loss.
      local kept, until_ms = s[i + 5]:match('^(%d+)|(%d+)$')
      if tonumber(until_ms) > h.now then
        sku.kept = math.min(tonumber(kept), sku.left)
        sku.left = sku.left - sku.kept
      end
    end
    if s[i] - s[i + 1] - s[i + 2] - s[i + 3] ~= 0 then return { 'recovering', call, 'conservation' } end
  end
end
if redis.call('EXISTS', stock_key) == 0 then return { 'recovering', call, 'stock' } end

-- refuse, or take into the local tables
local shut
if h.state == 'closed' or h.now >= h.closes_ms then shut = 'closed'
elseif h.now < h.opens_ms then shut = 'not_open'
elseif h.state == 'paused' then shut = 'paused' end
local seq, bytes, deadline_ms = h.seq, h.bytes, h.now + h.hold_ms
local after_seq = '|' .. string.format('%d', deadline_ms) .. '|'
local results, results_count, run = {}, 0, nil
local rows, counts, order, taken = {}, {}, {}, {}
local held, counted = 0, 0
-- A number becomes text slowly, and most counts are alike.
local texts = {}

local function refusal(at, user, wish)
  if shut then return shut end
  if seq - h.flushed_seq >= backlog_events_max or bytes - h.flushed_bytes >= backlog_bytes_max then return 'backlog' end
  for i = 1, #wish do
    if not wish[i].sku.left then return 'unknown_sku', wish[i].name end
  end
  if (users[user] or 0) >= ended_max then return 'limit_reached', wish[1].name, ended_max end
  for i = 1, #wish do
    local limit = wish[i].sku.limit
    if limit > 0 and (users[fields[at + i]] or 0) + wish[i].quantity > limit then return 'limit_reached', wish[i].name, limit end
  end
  for i = 1, #wish do
    if wish[i].sku.left < wish[i].quantity then return 'sold_out', wish[i].name, wish[i].sku.left end
  end
end

local function take(at, id, user, text, wish, body)
  for i = 1, #wish do
    local sku, quantity, field = wish[i].sku, wish[i].quantity, fields[at + i]
    sku.left, sku.held = sku.left - quantity, sku.held + quantity
    local count = (users[field] or 0) + quantity
    users[field] = count
    taken[wish[i].name] = sku
    texts[count] = texts[count] or string.format('%d', count)
    counts[counted + 1], counts[counted + 2] = field, texts[count]
    counted = counted + 2
  end
  seq, held = seq + 1, held + 1
  local record = 'h' .. string.format('%d', seq) .. after_seq .. user .. '|' .. text .. '|' .. body
  bytes = bytes + #record + #id
  records[id], order[held] = record, id
  rows[2 * held - 1], rows[2 * held] = id, record
end

local field_at = 1
for at = FIRST, #ARGV, STEP do
  local id, user, text, body = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local record, wish = records[id], wishes[text]
  local outcome, a, b
  if record then
    if record:sub(-16) == body then outcome, a = 'repeat', record else outcome = 'mismatch' end
  else
    outcome, a, b = refusal(field_at, user, wish)
  end
  if outcome then
    run = nil
    for _, value in ipairs({ outcome, a, b }) do
      results_count = results_count + 1
      results[results_count] = value
    end
  else
    take(field_at, id, user, text, wish, body)
    if run then
      results[run] = results[run] + 1
    else
      run = results_count + 3
      results[run - 2], results[run - 1], results[run] = 'held', seq, 1
      results_count = run
    end
  end
  field_at = field_at + 1 + #wish
end

-- write
if held > 0 then
  local stock = {}
  for name, sku in pairs(taken) do
    stock[#stock + 1] = name .. '/left'
    stock[#stock + 1] = sku.left + sku.kept
    stock[#stock + 1] = name .. '/held'
    stock[#stock + 1] = sku.held
  end
  redis.call('HSET', stock_key, unpack(stock))
  redis.call('HSET', users_key, unpack(counts))
  redis.call('HSET', records_key, unpack(rows))
  redis.call('RPUSH', order_key, unpack(order))
  redis.call('XADD', journal_key, '*', 'e', epoch, 's', h.seq + 1, 'n', held, 't', h.now, 'b', bytes, unpack(rows))
  redis.call('HSET', sale_key, 'seq', seq, 'bytes', bytes, 'last_now_ms', h.now)
end
local lefts = {}
for name, sku in pairs(skus) do
  if sku.left then
    lefts[#lefts + 1] = name
    lefts[#lefts + 1] = sku.left + sku.kept
  end
end
return { 'decided', call, h.now, seq, deadline_ms, lefts, results }
