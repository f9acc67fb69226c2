#!lua
--[[ advance: move a sale's line. Each engine calls it about twice a second with what it knows, and learns what has changed.

An engine reports the lowest places at which somebody waits there and has been heard of of late. All reports that are fresh are put
together in the order of places, and from the first on as many are offered admission as the mode allows, in bounded steps, and never past the end of a report
that was cut off: behind it there may be others. So nobody is waited for who has gone away, and who comes back is next. Nor is anybody passed
by whose engine has had no time yet to report: a number is offered nothing before it is ripe_ms old.
An offer counts from when its user has been told: then it is admitted, for place_ms. One that nobody was told of in time is taken back. An admitted place
that ran out, used or not, is over. A place with a reservation is in served.

A line that Redis has lost, or has older than this engine has seen, is restored: the highest that any engine has seen counts, for restore_ms nobody is
admitted and no new number given, then `gap` numbers are set aside, which those may have that nobody here has seen.

KEYS    1 sale  2 stock  3 line  4 offered  5 admitted  6 served  7 over  8 alive  9 moves
ARGV    1 call  2 epoch  3 caller_ms  4 engine  5 moves_id  6 report  7 told  8 seen_given  9 seen_given_invites  10 seen_watermark
        11 seen_watermark_invites  12 seen_early  13 seen_drawn  14 mode  15 per_second  16 factor_milli  17 place_ms  18 is_drawing  19 told_ms
        20 report_ms  21 restore_ms  22 gap  23 admit_max  24 ends_max  25 moves_max  26 moves_ms  27 rate_first  28 rate_min  29 rate_max
        30 ripe_ms
RETURNS advanced <call> <now_ms> <state> <opens_ms> <closes_ms> <left> <held> <unspent> <served> {field value}.. {id n moves}.. | unknown_sale <call>
        | unknown_schema <call> <schema> | recovering <call> <why>
WRITES  line, offered, admitted, served, over, alive, moves
REPLAY  again -> the line moves on by what may be admitted by then
COST    O(skus + reports + admit_max + ends_max)
]]
local sale_key, stock_key, line_key, offered_key, admitted_key, served_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local over_key, alive_key, moves_key = KEYS[7], KEYS[8], KEYS[9]
local call, epoch, caller_ms, engine, moves_id, report, told = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local seen_given, seen_given_invites, seen_watermark = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local seen_watermark_invites, seen_early, seen_drawn = tonumber(ARGV[11]), ARGV[12], ARGV[13]
local mode, per_second, factor_milli, place_ms, is_drawing = ARGV[14], tonumber(ARGV[15]), tonumber(ARGV[16]), tonumber(ARGV[17]), ARGV[18]
local told_ms, report_ms, restore_ms, gap = tonumber(ARGV[19]), tonumber(ARGV[20]), tonumber(ARGV[21]), tonumber(ARGV[22])
local admit_max, ends_max, moves_max, moves_ms = tonumber(ARGV[23]), tonumber(ARGV[24]), tonumber(ARGV[25]), tonumber(ARGV[26])
local rate_first, rate_min, rate_max, ripe_ms = tonumber(ARGV[27]), tonumber(ARGV[28]), tonumber(ARGV[29]), tonumber(ARGV[30])
-- In the order of places, every invite comes before every other: a place of the general lane is this much and its number.
local GENERAL, CHUNK, RATE_MS = 4294967296, 500, 500
-- A report: whether it was cut off, whether the engine is pressed, then the places of each lane, each as what it is more than the one before.
local REPORT = '^(%d)|(%d)|([%d,]*)|([%d,]*)$'

-- read
local h, word, why = fence(sale_key, epoch, caller_ms)
if not h then return { word, call, why } end
if not string.match(report, REPORT) then return redis.error_reply('BADARG report') end
local now, line = h.now, {}
-- Entries of moves are named by the server's own clock.
local t = redis.call('TIME')
local kept_from = string.format('%d', math.max(0, t[1] * 1000 - moves_ms))
local f = redis.call('HGETALL', line_key)
for i = 1, #f, 2 do line[f[i]] = f[i + 1] end
local function count(field) return tonumber(line[field] or 0) end

local left, held, s = 0, 0, redis.call('HGETALL', stock_key)
for i = 1, #s, 2 do
  local what = string.match(s[i], '/(%a+)$')
  if what == 'left' then left = left + s[i + 1] elseif what == 'held' then held = held + s[i + 1] end
end

local fresh, is_pressed, gone = { { 0, report } }, string.sub(report, 3, 3) == '1', {}
local reports = redis.call('HGETALL', alive_key)
for i = 1, #reports, 2 do
  local at, said = string.match(reports[i + 1], '^(%d+)|(.*)$')
  if now - at > report_ms then
    gone[#gone + 1] = reports[i]
  elseif reports[i] ~= engine then
    fresh[#fresh + 1] = { at, said }
    is_pressed = is_pressed or string.sub(said, 3, 3) == '1'
  end
end

local due = redis.call('ZRANGE', offered_key, '-inf', now, 'BYSCORE', 'LIMIT', 0, ends_max)
local run_out = redis.call('ZRANGE', admitted_key, '-inf', now, 'BYSCORE', 'LIMIT', 0, ends_max)
local served_out = redis.call('ZRANGE', served_key, '-inf', now, 'BYSCORE', 'LIMIT', 0, ends_max)
local unspent = redis.call('ZCARD', offered_key) + redis.call('ZCARD', admitted_key)
local served = redis.call('ZCARD', served_key)
local past = redis.call('XRANGE', moves_key, '(' .. moves_id, '+', 'COUNT', moves_max)

-- refuse: nothing more; what follows takes into local tables
local is_first = not line.epoch and epoch == '1' and seen_given == 0 and seen_given_invites == 0
local is_lost = not is_first and (line.epoch ~= epoch or line.run_id ~= h.run_id or seen_given > count('given')
  or seen_given_invites > count('given_invites') or seen_watermark > count('watermark') or seen_watermark_invites > count('watermark_invites'))
local given, given_invites = math.max(count('given'), seen_given), math.max(count('given_invites'), seen_given_invites)
local watermark, watermark_invites = math.max(count('watermark'), seen_watermark), math.max(count('watermark_invites'), seen_watermark_invites)
local early, drawn, gaps = line.early or '', line.drawn or '', line.gaps or ''
local gap_end, gap_end_invites = count('gap_end'), count('gap_end_invites')
local restoring, restored_ms = line.restoring or '', count('restored_ms')
if early == '' then early = seen_early end
if drawn == '' then drawn = seen_drawn end
if is_lost then
  restoring, restored_ms = '1', now
elseif restoring ~= '' and now >= restored_ms + restore_ms then
  gaps = gaps .. string.format('%d:%d:%d,', given, given_invites, gap)
  given, given_invites, restoring = given + gap, given_invites + gap, ''
  gap_end, gap_end_invites = given, given_invites
end
if early == '' and restoring == '' and now >= h.opens_ms then early = string.format('%d', given) end

-- Numbers up to ripe are old enough, those up to ripening will be.
local ripe, ripe_invites, ripening, ripening_invites = count('ripe'), count('ripe_invites'), count('ripening'), count('ripening_invites')
local ripening_ms = count('ripening_ms')
if now - ripening_ms >= ripe_ms then
  ripe, ripe_invites, ripening, ripening_invites, ripening_ms = ripening, ripening_invites, given, given_invites, now
end

-- Places move, and every engine is told how: o offered, a admitted, w waits again, x over.
local moved, told_now, is_told = {}, {}, {}
local function move(how, place, until_ms) moved[#moved + 1] = how .. place .. ':' .. string.format('%d', until_ms) end
local names = {}
for place in string.gmatch(told, '[^,]+') do names[#names + 1] = place end
if #names > 0 then
  for i, until_ms in ipairs(redis.call('ZMSCORE', offered_key, unpack(names))) do
    if until_ms and not is_told[names[i]] then
      is_told[names[i]] = true
      told_now[#told_now + 1], told_now[#told_now + 2] = now + place_ms, names[i]
      move('a', names[i], now + place_ms)
    end
  end
end
local back, over = {}, {}
for _, place in ipairs(due) do
  if not is_told[place] then
    back[#back + 1] = place
    move('w', place, 0)
  end
end
for _, place in ipairs(run_out) do
  over[#over + 1] = place
  move('x', place, 0)
end
for _, place in ipairs(served_out) do
  over[#over + 1] = place
  move('x', place, 0)
end
unspent, served = unspent - #back - #run_out, served - #served_out

-- How many may be offered admission now. Nobody is while nothing is left, whatever the mode says.
local is_moving = h.state == 'open' and now >= h.opens_ms and now < h.closes_ms and restoring == '' and left > 0
local is_ordered = is_drawing == '0' or drawn ~= '' or early == '0'
local credit, rate, rate_ms, room = 0, per_second, count('rate_ms'), 0
if mode == 'follow_capacity' then
  rate = line.rate and count('rate') or rate_first
  if now - rate_ms >= RATE_MS then
    if is_pressed then rate = math.max(rate_min, rate * 0.7)
    elseif line.is_short == '1' then rate = math.min(per_second > 0 and per_second or rate_max, rate * 1.1) end
    rate_ms = now
  end
end
if is_moving then
  room = admit_max
  if rate > 0 then
    local since_ms = line.credit_ms and math.max(0, math.min(1000, now - count('credit_ms'))) or 0
    -- An offer that nobody was told of has let nobody in: another may come instead.
    credit = math.min(count('credit') + rate * since_ms / 1000 + #back, math.max(1, rate))
    room = math.min(room, math.floor(credit))
  end
  if mode == 'follow_stock' then room = math.min(room, math.max(1, math.floor(left * factor_milli / 1000)) - unspent) end
end

-- Places of the drawn are not their numbers; all of these are old.
local ripe_place = drawn ~= '' and math.max(ripe, tonumber(early) or 0) or ripe
local wanted, wanted_count, horizon = {}, 0, nil
if is_moving then
  for _, one in ipairs(fresh) do
    local is_cut, _, invites, general = string.match(one[2], REPORT)
    local at = 0
    for more in string.gmatch(invites, '%d+') do
      at = at + more
      wanted_count = wanted_count + 1
      wanted[wanted_count] = at
    end
    if general ~= '' then at = GENERAL end
    for more in string.gmatch(general, '%d+') do
      at = at + more
      wanted_count = wanted_count + 1
      wanted[wanted_count] = at
    end
    if is_cut == '1' and (not horizon or at < horizon) then horizon = at end
  end
  table.sort(wanted)
end
local offers, offered_count, next_at, before, is_short = {}, 0, 1, 0, '0'
while next_at <= wanted_count and is_short == '0' do
  local some, places = {}, {}
  while next_at <= wanted_count and #some < CHUNK do
    local place = wanted[next_at]
    next_at = next_at + 1
    local is_old = place > GENERAL and place <= GENERAL + ripe_place or place <= ripe_invites
    local is_there = (not horizon or place <= horizon) and is_old and (is_ordered or place < GENERAL)
    if is_there and place ~= before then
      some[#some + 1] = place
      places[#places + 1] = place > GENERAL and string.format('%d', place - GENERAL) or string.format('i%d', place)
    end
    before = place
  end
  if #some == 0 then break end
  local in_offered, in_admitted = redis.call('ZMSCORE', offered_key, unpack(places)), redis.call('ZMSCORE', admitted_key, unpack(places))
  local in_served = redis.call('ZMSCORE', served_key, unpack(places))
  for i, place in ipairs(some) do
    local bit = place > GENERAL and 2 * (place - GENERAL) or 2 * place + 1
    if not in_offered[i] and not in_admitted[i] and not in_served[i] and redis.call('GETBIT', over_key, bit) == 0 then
      if offered_count >= room then
        is_short = '1'
        break
      end
      offered_count = offered_count + 1
      offers[2 * offered_count - 1], offers[2 * offered_count] = now + told_ms, places[i]
      move('o', places[i], now + told_ms)
      if place > GENERAL then watermark = math.max(watermark, place - GENERAL) else watermark_invites = math.max(watermark_invites, place) end
    end
  end
end
if rate > 0 then credit = math.max(0, credit - offered_count) end
unspent = unspent + offered_count

local moves, seen = count('moves'), {}
for _, entry in ipairs(past) do
  seen[#seen + 1], seen[#seen + 2], seen[#seen + 3] = entry[1], entry[2][2], entry[2][4]
end
if #moved > 0 then moves = moves + 1 end
local head_now = { 'epoch', epoch, 'run_id', h.run_id, 'given', given, 'given_invites', given_invites, 'watermark', watermark,
  'watermark_invites', watermark_invites, 'early', early, 'drawn', drawn, 'gaps', gaps, 'gap_end', gap_end, 'gap_end_invites', gap_end_invites,
  'ripe', ripe, 'ripe_invites', ripe_invites, 'ripening', ripening, 'ripening_invites', ripening_invites, 'ripening_ms', ripening_ms,
  'restoring', restoring, 'restored_ms', restored_ms, 'moves', moves, 'admitted_total', count('admitted_total') + offered_count,
  'credit', string.format('%.3f', credit), 'credit_ms', now, 'rate', string.format('%.3f', rate), 'rate_ms', rate_ms, 'is_short', is_short,
  'place_ms', place_ms }

-- write
redis.call('HSET', line_key, unpack(head_now))
redis.call('HSET', alive_key, engine, string.format('%d|', now) .. report)
if #gone > 0 then redis.call('HDEL', alive_key, unpack(gone)) end
for i = 2, #told_now, 2 do redis.call('ZREM', offered_key, told_now[i]) end
if #told_now > 0 then redis.call('ZADD', admitted_key, unpack(told_now)) end
if #back > 0 then redis.call('ZREM', offered_key, unpack(back)) end
if #run_out > 0 then redis.call('ZREM', admitted_key, unpack(run_out)) end
if #served_out > 0 then redis.call('ZREM', served_key, unpack(served_out)) end
for _, place in ipairs(over) do
  local lane, digits = string.match(place, '^(i?)(%d+)$')
  redis.call('SETBIT', over_key, 2 * digits + (lane == 'i' and 1 or 0), 1)
end
if offered_count > 0 then redis.call('ZADD', offered_key, unpack(offers)) end
if #moved > 0 then
  local text = table.concat(moved, ',')
  local id = redis.call('XADD', moves_key, 'MINID', '~', kept_from, '*', 'n', moves, 'm', text)
  if #past < moves_max then seen[#seen + 1], seen[#seen + 2], seen[#seen + 3] = id, string.format('%d', moves), text end
end
return { 'advanced', call, now, h.state, h.opens_ms, h.closes_ms, left, held, unspent, served, head_now, seen }
