#!lua
--[[ reserve: decide a batch of reservation requests, in order, each seeing the effects of those before it.

A request takes all of its lines or none. The same id with the same body is the same reservation, for the sale's life; the record is
written with the decrement, so no crash can part them. One journal entry holds the whole batch.

A sale with a line is called with all keys, one without with the first six. Where there is a line, a user reserves who has the number
that was shown, at whose place admission is offered or given; with the first hold the place has been used, and serves on until its time is up.

KEYS    1 sale  2 stock  3 users  4 records  5 order  6 journal  7 line  8 places  9 offered  10 admitted  11 served
ARGV    1 call  2 epoch  3 caller_ms  4 ended_max  5 backlog_events_max  6 backlog_bytes_max
        then per run of requests that ask for the same: count wish, with the wish as records end, sku=quantity,..|body; and for each request
        of the run: id user; with a line also number place, or nothing twice
RETURNS decided <call> <now_ms> <seq> <deadline_ms> {sku left}.. {word ..}.. | unknown_sale <call> | unknown_schema <call> <schema> | recovering <call> <why>
        words: held <seq> <count> (so many requests in a row, numbered from seq on) | repeat <record> | mismatch | sold_out <sku> <left> | limit_reached <sku> <limit> | unknown_sku <sku> | not_open | paused | closed | backlog
        | not_admitted
WRITES  sale, stock, users, records, order, journal, offered, admitted, served     (only if some request is held)
REPLAY  same id and body -> repeat with the record, no write; refusals are not stored
COST    O(requests + lines): 4 reads, INFO, TIME and 6 writes a batch; with a line 5 reads and 3 writes more
]]
local sale_key, stock_key, users_key, records_key, order_key, journal_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local line_key, places_key, offered_key, admitted_key, served_key = KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11]
local call, epoch, caller_ms = ARGV[1], ARGV[2], ARGV[3]
local ended_max, backlog_events_max, backlog_bytes_max = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local FIRST, STEP, COMMA, BAR = 7, line_key and 4 or 2, string.byte(',|', 1, 2)

-- read
local h, word, why = fence(sale_key, epoch, caller_ms)
if not h then return { word, call, why } end
local last = #ARGV
if last < FIRST then return redis.error_reply('BADARG requests') end

-- Most requests of a sale ask for the same: each wish is read once. The index of a wish's first line in `fields` is its user's, plus 1.
-- A call of one request is as common as one of many, so what is made for each call is kept small.
local ids, fields, skus, sku_fields, wishes = {}, {}, {}, {}, {}
local users_asking, places_shown = line_key and {}, line_key and {}
local ids_count, fields_count, sku_fields_count = 0, 0, 0
local run_at = FIRST
while run_at <= last do
  local count, text = tonumber(ARGV[run_at]), ARGV[run_at + 1]
  if not count or count < 1 or count % 1 ~= 0 or run_at + 1 + count * STEP > last then return redis.error_reply('BADARG requests') end
  local wish = wishes[text]
  if not wish then
    wish = { tail = '|' .. text }
    local from, lines = 1, 0
    while from do
      local _, to, name, digits = string.find(text, '^([^=,|]+)=(%d+)', from)
      local quantity = tonumber(digits)
      if not quantity then return redis.error_reply('BADARG lines') end
      if quantity < 1 then return redis.error_reply('BADARG quantity') end
      local sku = skus[name]
      if not sku then
        sku = { name = name, fields = sku_fields_count }
        skus[name] = sku
        sku_fields[sku_fields_count + 1] = name .. '/stocked'
        sku_fields[sku_fields_count + 2] = name .. '/left'
        sku_fields[sku_fields_count + 3] = name .. '/held'
        sku_fields[sku_fields_count + 4] = name .. '/sold'
        sku_fields[sku_fields_count + 5] = name .. '/limit'
        sku_fields[sku_fields_count + 6] = name .. '/kept'
        sku_fields_count = sku_fields_count + 6
      end
      if sku.wish == wish then return redis.error_reply('BADARG lines') end
      sku.wish, lines = wish, lines + 1
      wish[lines] = { sku = sku, name = name, quantity = quantity }
      local after = string.byte(text, to + 1)
      if after == COMMA then
        from = to + 2
      elseif after == BAR and #text - to == 17 then
        wish.body, from = string.sub(text, to + 2), nil
      else
        return redis.error_reply('BADARG lines')
      end
    end
    wishes[text] = wish
  end
  local lines = #wish
  for at = run_at + 2, run_at + 1 + count * STEP, STEP do
    local user = ARGV[at + 1]
    ids_count = ids_count + 1
    ids[ids_count] = ARGV[at]
    if line_key then users_asking[ids_count], places_shown[ids_count] = user, ARGV[at + 3] end
    fields[fields_count + 1] = user
    for i = 1, lines do fields[fields_count + 1 + i] = user .. '/' .. wish[i].name end
    fields_count = fields_count + 1 + lines
  end
  run_at = run_at + 2 + count * STEP
end

local known, counted_now = redis.call('HMGET', records_key, unpack(ids)), redis.call('HMGET', users_key, unpack(fields))
local s = redis.call('HMGET', stock_key, unpack(sku_fields))
local is_stocked = true
for name, sku in pairs(skus) do
  local at = sku.fields
  if s[at + 1] then
    sku.left, sku.held, sku.limit, sku.kept = tonumber(s[at + 2]), tonumber(s[at + 3]), tonumber(s[at + 5]), 0
    if s[at + 1] - sku.left - sku.held - s[at + 4] ~= 0 then return { 'recovering', call, 'conservation' } end
    if s[at + 6] then
      -- Units that are for receipts alone, for a while after a loss.
      local kept, until_ms = string.match(s[at + 6], '^(%d+)|(%d+)$')
      if tonumber(until_ms) > h.now then
        sku.kept = math.min(tonumber(kept), sku.left)
        sku.left = sku.left - sku.kept
      end
    end
  else
    is_stocked = false
  end
end
if not is_stocked and redis.call('EXISTS', stock_key) == 0 then return { 'recovering', call, 'stock' } end

local records, users = {}, {}
for i = 1, ids_count do
  if known[i] then records[ids[i]] = known[i] end
end
for i = 1, fields_count do
  if counted_now[i] then users[fields[i]] = tonumber(counted_now[i]) end
end

-- Until when each place that is shown serves, whether it has been used, and who has which number.
local numbers, untils, is_served, place_ms
if line_key then
  numbers, untils, is_served = {}, {}, {}
  for i, number in ipairs(redis.call('HMGET', places_key, unpack(users_asking))) do numbers[users_asking[i]] = number end
  place_ms = tonumber(redis.call('HGET', line_key, 'place_ms') or 0)
  local in_offered, in_admitted = redis.call('ZMSCORE', offered_key, unpack(places_shown)), redis.call('ZMSCORE', admitted_key, unpack(places_shown))
  for i, until_ms in ipairs(redis.call('ZMSCORE', served_key, unpack(places_shown))) do
    local place = places_shown[i]
    if until_ms then
      untils[place], is_served[place] = tonumber(until_ms), true
    elseif in_admitted[i] then
      untils[place] = tonumber(in_admitted[i])
    elseif in_offered[i] and tonumber(in_offered[i]) > h.now then
      untils[place] = h.now + place_ms
    end
  end
end

-- refuse, or take into the local tables
-- Why a user may not have a wish, or nothing. The user's count of ended reservations is at `at` in `fields`, those of the lines follow.
local function refusal(wish, fields, at, users, ended_max)
  for i = 1, #wish do
    if not wish[i].sku.left then return 'unknown_sku', wish[i].name end
  end
  if (users[fields[at]] or 0) >= ended_max then return 'limit_reached', wish[1].name, ended_max end
  for i = 1, #wish do
    local limit = wish[i].sku.limit
    if limit > 0 and (users[fields[at + i]] or 0) + wish[i].quantity > limit then return 'limit_reached', wish[i].name, limit end
  end
  for i = 1, #wish do
    if wish[i].sku.left < wish[i].quantity then return 'sold_out', wish[i].name, wish[i].sku.left end
  end
end

local shut
if h.state == 'closed' or h.now >= h.closes_ms then shut = 'closed'
elseif h.now < h.opens_ms then shut = 'not_open'
elseif h.state == 'paused' then shut = 'paused' end
local seq, bytes, deadline_ms = h.seq, h.bytes, h.now + h.hold_ms
local events_end, bytes_end = h.flushed_seq + backlog_events_max, h.flushed_bytes + backlog_bytes_max
local after_seq = string.format('|%d|', deadline_ms)
local results, results_count, held_at = {}, 0, nil
local rows, counts, order, taken = {}, {}, {}, {}
local held, counted, field_at = 0, 0, 1
local used, serves = line_key and {}, line_key and {}
-- A number becomes text slowly, and most counts are alike.
local texts = {}
run_at = FIRST
while run_at <= last do
  local wish, to = wishes[ARGV[run_at + 1]], run_at + 1 + ARGV[run_at] * STEP
  local lines = #wish
  for at = run_at + 2, to, STEP do
    local id, user, record = ARGV[at], ARGV[at + 1], records[ARGV[at]]
    local outcome, a, b
    if record then
      if string.sub(record, -16) == wish.body then outcome, a = 'repeat', record else outcome = 'mismatch' end
    elseif shut then
      outcome = shut
    elseif line_key and (numbers[user] ~= ARGV[at + 2] or (untils[ARGV[at + 3]] or 0) <= h.now) then
      outcome = 'not_admitted'
    elseif seq >= events_end or bytes >= bytes_end then
      outcome = 'backlog'
    else
      outcome, a, b = refusal(wish, fields, field_at, users, ended_max)
    end
    if outcome then
      held_at = nil
      results_count = results_count + 1
      results[results_count] = outcome
      if a then
        results_count = results_count + 1
        results[results_count] = a
      end
      if b then
        results_count = results_count + 1
        results[results_count] = b
      end
    else
      for i = 1, lines do
        local sku, quantity, field = wish[i].sku, wish[i].quantity, fields[field_at + i]
        sku.left, sku.held = sku.left - quantity, sku.held + quantity
        taken[sku.name] = sku
        local count = (users[field] or 0) + quantity
        users[field] = count
        local digits = texts[count]
        if not digits then
          digits = string.format('%d', count)
          texts[count] = digits
        end
        counts[counted + 1], counts[counted + 2] = field, digits
        counted = counted + 2
      end
      local place = line_key and ARGV[at + 3]
      if place and not is_served[place] then
        is_served[place] = true
        used[#used + 1] = place
        serves[#serves + 1], serves[#serves + 2] = untils[place], place
      end
      seq, held = seq + 1, held + 1
      record = 'h' .. string.format('%d', seq) .. after_seq .. user .. wish.tail
      bytes = bytes + #record + #id
      records[id], order[held] = record, id
      rows[2 * held - 1], rows[2 * held] = id, record
      if held_at then
        results[held_at] = results[held_at] + 1
      else
        held_at = results_count + 3
        results[held_at - 2], results[held_at - 1], results[held_at] = 'held', seq, 1
        results_count = held_at
      end
    end
    field_at = field_at + 1 + lines
  end
  run_at = to + 1
end

-- write
if held > 0 then
  local stock, stocked = {}, 0
  for name, sku in pairs(taken) do
    stock[stocked + 1], stock[stocked + 2] = name .. '/left', sku.left + sku.kept
    stock[stocked + 3], stock[stocked + 4] = name .. '/held', sku.held
    stocked = stocked + 4
  end
  redis.call('HSET', stock_key, unpack(stock))
  redis.call('HSET', users_key, unpack(counts))
  redis.call('HSET', records_key, unpack(rows))
  redis.call('RPUSH', order_key, unpack(order))
  redis.call('XADD', journal_key, '*', 'e', epoch, 's', h.seq + 1, 'n', held, 't', h.now, 'b', bytes, unpack(rows))
  redis.call('HSET', sale_key, 'seq', seq, 'bytes', bytes, 'last_now_ms', h.now)
  if used and #used > 0 then
    redis.call('ZREM', offered_key, unpack(used))
    redis.call('ZREM', admitted_key, unpack(used))
    redis.call('ZADD', served_key, unpack(serves))
  end
end
local lefts, lefts_count = {}, 0
for name, sku in pairs(skus) do
  if sku.left then
    lefts[lefts_count + 1], lefts[lefts_count + 2] = name, sku.left + sku.kept
    lefts_count = lefts_count + 2
  end
end
return { 'decided', call, h.now, seq, deadline_ms, lefts, results }
