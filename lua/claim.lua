#!lua
--[[ claim: decide a batch of claims on one first-come coupon, in order. A claim is final: it takes a unit from left to sold.

KEYS    1 sale  2 stock  3 users  4 records  5 journal
ARGV    1 call  2 epoch  3 caller_ms  4 sku  5 backlog_events_max  6 backlog_bytes_max  then per claim: id user
RETURNS decided <call> <now_ms> <seq> {sku left}.. {word a b}.. | unknown_sale <call> | unknown_schema <call> <schema> | recovering <call> <why>
        words: claimed <seq> "" | repeat <record> "" | already_claimed "" <limit> | sold_out "" 0 | not_open "" "" | paused "" ""
        | closed "" "" | backlog "" ""
WRITES  sale, stock, users, records, journal     (only if some claim is made)
REPLAY  same id -> repeat with the record, no write; refusals are not stored
COST    O(claims): 4 reads, 5 writes a batch
]]
local sale_key, stock_key, users_key, records_key, journal_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local call, epoch, caller_ms, sku = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local backlog_events_max, backlog_bytes_max = tonumber(ARGV[5]), tonumber(ARGV[6])

-- read
local h, word, why = fence(sale_key, epoch, caller_ms)
if not h then return { word, call, why } end
local ids, owners, fields = {}, {}, {}
for i = 7, #ARGV, 2 do
  ids[#ids + 1] = ARGV[i]
  owners[#owners + 1] = ARGV[i + 1]
  fields[#fields + 1] = ARGV[i + 1] .. '/' .. sku
end
if #ids == 0 then return redis.error_reply('BADARG claims') end
local records, users = {}, {}
for i, record in ipairs(redis.call('HMGET', records_key, unpack(ids))) do records[ids[i]] = record end
for i, count in ipairs(redis.call('HMGET', users_key, unpack(fields))) do users[fields[i]] = tonumber(count or 0) end
local s = redis.call('HMGET', stock_key, sku .. '/stocked', sku .. '/left', sku .. '/held', sku .. '/sold', sku .. '/limit')
if not s[1] then return { 'recovering', call, 'stock' } end
if s[1] - s[2] - s[3] - s[4] ~= 0 then return { 'recovering', call, 'conservation' } end

-- refuse, or take into the local tables
local shut
if h.state == 'closed' or h.now >= h.closes_ms then shut = 'closed'
elseif h.now < h.opens_ms then shut = 'not_open'
elseif h.state == 'paused' then shut = 'paused' end
local left, sold, limit, seq, bytes = tonumber(s[2]), tonumber(s[4]), tonumber(s[5]), h.seq, h.bytes
local results, rows, changed = {}, {}, {}
for i, id in ipairs(ids) do
  local record, field = records[id], fields[i]
  local outcome, a, b = nil, '', ''
  if record then outcome, a = 'repeat', record
  elseif shut then outcome = shut
  elseif seq - h.flushed_seq >= backlog_events_max or bytes - h.flushed_bytes >= backlog_bytes_max then outcome = 'backlog'
  elseif limit > 0 and users[field] >= limit then outcome, b = 'already_claimed', limit
  elseif left < 1 then outcome, b = 'sold_out', left
  else
    left, sold, seq, users[field] = left - 1, sold + 1, seq + 1, users[field] + 1
    record = 'k' .. seq .. '|' .. h.now .. '|' .. owners[i]
    bytes = bytes + #record + #id
    records[id], changed[field] = record, true
    rows[#rows + 1] = id
    rows[#rows + 1] = record
    outcome, a = 'claimed', seq
  end
  results[#results + 1] = outcome
  results[#results + 1] = a
  results[#results + 1] = b
end

-- write
if #rows > 0 then
  local counts = {}
  for field in pairs(changed) do
    counts[#counts + 1] = field
    counts[#counts + 1] = users[field]
  end
  redis.call('HSET', stock_key, sku .. '/left', left, sku .. '/sold', sold)
  redis.call('HSET', users_key, unpack(counts))
  redis.call('HSET', records_key, unpack(rows))
  redis.call('XADD', journal_key, '*', 'e', epoch, 's', h.seq + 1, 'n', #rows / 2, 't', h.now, 'b', bytes, unpack(rows))
  redis.call('HSET', sale_key, 'seq', seq, 'bytes', bytes, 'last_now_ms', h.now)
end
return { 'decided', call, h.now, seq, { sku, left }, results }
