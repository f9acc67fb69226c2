#!lua
--[[ reserve: decide a batch of reservation requests, in order, each seeing the effects of those before it.

A request takes all of its lines or none. The same id with the same body is the same reservation, for the sale's life; the record is
written with the decrement, so no crash can part them. One journal entry holds the whole batch.

KEYS    1 sale  2 stock  3 users  4 records  5 order  6 journal
ARGV    1 call  2 epoch  3 caller_ms  4 ended_max  5 backlog_events_max  6 backlog_bytes_max
        then per request: id user body lines_count, then per line: sku quantity
RETURNS decided <call> <now_ms> <seq> {sku left}.. {word a b}.. | unknown_sale <call> | unknown_schema <call> <schema> | recovering <call> <why>
        words: held <seq> <deadline_ms> | repeat <record> "" | mismatch "" "" | sold_out <sku> <left> | limit_reached <sku> <limit>
        | unknown_sku <sku> "" | not_open "" "" | paused "" "" | closed "" "" | backlog "" ""
WRITES  sale, stock, users, records, order, journal     (only if some request is held)
REPLAY  same id and body -> repeat with the record, no write; refusals are not stored
COST    O(requests + lines): 5 reads, 6 writes a batch
]]
local sale_key, stock_key, users_key, records_key, order_key, journal_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local call, epoch, caller_ms = ARGV[1], ARGV[2], ARGV[3]
local ended_max, backlog_events_max, backlog_bytes_max = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])

-- read
local h, word, why = fence(sale_key, epoch, caller_ms)
if not h then return { word, call, why } end

local requests, ids, skus, sku_fields, user_fields, known = {}, {}, {}, {}, {}, {}
local at = 7
while at <= #ARGV do
  local r = { id = ARGV[at], user = ARGV[at + 1], body = ARGV[at + 2], lines = {} }
  local lines_count = tonumber(ARGV[at + 3])
  at = at + 4
  if not known[r.user] then
    known[r.user] = true
    user_fields[#user_fields + 1] = r.user
  end
  for i = 1, lines_count do
    local sku, quantity = ARGV[at], tonumber(ARGV[at + 1])
    if not quantity or quantity < 1 or quantity % 1 ~= 0 then return redis.error_reply('BADARG quantity') end
    local field = r.user .. '/' .. sku
    r.lines[i] = { sku = sku, quantity = quantity, field = field }
    if not known[field] then
      known[field] = true
      user_fields[#user_fields + 1] = field
    end
    if not skus[sku] then
      skus[sku] = {}
      for _, name in ipairs({ 'stocked', 'left', 'held', 'sold', 'limit' }) do sku_fields[#sku_fields + 1] = sku .. '/' .. name end
    end
    at = at + 2
  end
  requests[#requests + 1] = r
  ids[#ids + 1] = r.id
end
if #requests == 0 then return redis.error_reply('BADARG requests') end

local records, users = {}, {}
for i, record in ipairs(redis.call('HMGET', records_key, unpack(ids))) do records[ids[i]] = record end
for i, count in ipairs(redis.call('HMGET', users_key, unpack(user_fields))) do users[user_fields[i]] = tonumber(count or 0) end
local s = redis.call('HMGET', stock_key, unpack(sku_fields))
for i = 1, #sku_fields, 5 do
  local sku = skus[sku_fields[i]:match('^(.*)/')]
  if s[i] then
    sku.left, sku.held, sku.limit = tonumber(s[i + 1]), tonumber(s[i + 2]), tonumber(s[i + 4])
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
local results, events, order, changed, taken = {}, {}, {}, {}, {}

local function refusal(r)
  if shut then return shut, '', '' end
  if seq - h.flushed_seq >= backlog_events_max or bytes - h.flushed_bytes >= backlog_bytes_max then return 'backlog', '', '' end
  for _, line in ipairs(r.lines) do
    if not skus[line.sku].left then return 'unknown_sku', line.sku, '' end
  end
  if users[r.user] >= ended_max then return 'limit_reached', r.lines[1].sku, ended_max end
  for _, line in ipairs(r.lines) do
    local sku = skus[line.sku]
    if sku.limit > 0 and users[line.field] + line.quantity > sku.limit then return 'limit_reached', line.sku, sku.limit end
  end
  for _, line in ipairs(r.lines) do
    if skus[line.sku].left < line.quantity then return 'sold_out', line.sku, skus[line.sku].left end
  end
end

local function take(r)
  local text = {}
  for i, line in ipairs(r.lines) do
    local sku = skus[line.sku]
    sku.left, sku.held = sku.left - line.quantity, sku.held + line.quantity
    users[line.field] = users[line.field] + line.quantity
    changed[line.field], taken[line.sku] = true, true
    text[i] = line.sku .. '=' .. line.quantity
  end
  seq = seq + 1
  local record = 'h' .. seq .. '|' .. deadline_ms .. '|' .. r.user .. '|' .. table.concat(text, ',') .. '|' .. r.body
  bytes = bytes + #record + 17
  records[r.id] = record
  order[#order + 1] = r.id
  events[#events + 1] = 'h' .. r.id
  events[#events + 1] = record
end

for _, r in ipairs(requests) do
  local record, a, b = records[r.id], '', ''
  local outcome
  if record then
    if record:sub(-16) == r.body then outcome, a = 'repeat', record else outcome = 'mismatch' end
  else
    outcome, a, b = refusal(r)
    if not outcome then
      take(r)
      outcome, a, b = 'held', seq, deadline_ms
    end
  end
  results[#results + 1] = outcome
  results[#results + 1] = a
  results[#results + 1] = b
end

-- write
if #order > 0 then
  local stock, counts, rows = {}, {}, {}
  for name in pairs(taken) do
    stock[#stock + 1] = name .. '/left'
    stock[#stock + 1] = skus[name].left
    stock[#stock + 1] = name .. '/held'
    stock[#stock + 1] = skus[name].held
  end
  for field in pairs(changed) do
    counts[#counts + 1] = field
    counts[#counts + 1] = users[field]
  end
  for _, id in ipairs(order) do
    rows[#rows + 1] = id
    rows[#rows + 1] = records[id]
  end
  redis.call('HSET', stock_key, unpack(stock))
  redis.call('HSET', users_key, unpack(counts))
  redis.call('HSET', records_key, unpack(rows))
  redis.call('RPUSH', order_key, unpack(order))
  redis.call('XADD', journal_key, '*', 'e', epoch, 's', h.seq + 1, 'n', #order, 't', h.now, 'b', bytes, unpack(events))
  redis.call('HSET', sale_key, 'seq', seq, 'bytes', bytes, 'last_now_ms', h.now)
end
local lefts = {}
for name, sku in pairs(skus) do
  if sku.left then
    lefts[#lefts + 1] = name
    lefts[#lefts + 1] = sku.left
  end
end
return { 'decided', call, h.now, seq, lefts, results }
