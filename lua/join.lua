#!lua
--[[ join: give a number in a sale's line to each who comes, in the order in which they come. Nobody has two.

Whoever has a number is told it again, on any engine. Who says that it is over gets a new one at the end; who has a ticket from before a
loss gets back the number on it, and until those who had numbers have had time to come, new ones are given to nobody. A number from beyond
what was set aside for the loss may have been given to another since: in its place a new one is given. An invite is good for the first user
who comes with it, once.

KEYS    1 sale  2 line  3 places
ARGV    1 call  2 epoch  3 caller_ms  4 places_max
        then per request: user invite instead, with the last nothing, o<number> for one that is over, or b<number> for one to have back
RETURNS decided <call> <now_ms> <given> <given_invites> {word ..}.. | behind <call> | unknown_sale <call> | unknown_schema <call> <schema> | recovering <call> <why>
        words: joined <number> | already <number> | uninvited | not_yet | closed | full
WRITES  line, places     (only if some number is given)
REPLAY  same user -> already with the number, no write
COST    O(requests): 3 reads, INFO, TIME and 2 writes a batch
]]
local sale_key, line_key, places_key = KEYS[1], KEYS[2], KEYS[3]
local call, epoch, caller_ms, places_max = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local FIRST, STEP = 5, 3

-- read
local h, word, why = fence(sale_key, epoch, caller_ms)
if not h then return { word, call, why } end
local last = #ARGV
if last < FIRST or (last - FIRST + 1) % STEP ~= 0 then return redis.error_reply('BADARG requests') end
local f = redis.call('HMGET', line_key, 'epoch', 'run_id', 'early', 'restoring', 'given', 'given_invites', 'gap_end', 'gap_end_invites')
local fields, known = {}, {}
for at = FIRST, last, STEP do
  fields[#fields + 1] = ARGV[at]
  if ARGV[at + 1] ~= '' then fields[#fields + 1] = 'invite:' .. ARGV[at + 1] end
end
for i, has in ipairs(redis.call('HMGET', places_key, unpack(fields))) do known[fields[i]] = has end

-- refuse, or take into the local tables
-- Only advance begins a line, begins to restore it, and counts who came before the sale opens.
if f[1] ~= epoch or f[2] ~= h.run_id or (f[3] == '' and f[4] == '' and h.now >= h.opens_ms) then return { 'behind', call } end
local is_closed, is_restoring = h.state == 'closed' or h.now >= h.closes_ms, f[4] ~= ''
local given = { general = tonumber(f[5]), invites = tonumber(f[6]) }
local gap_end = { general = tonumber(f[7]), invites = tonumber(f[8]) }

-- Lane and count of a number as it is written.
local function read(number)
  local lane, digits = string.match(number, '^(i?)(%d+)$')
  return lane == 'i' and 'invites' or 'general', tonumber(digits)
end

-- Whether the one number comes before the other.
local function before(one, other)
  local lane, count = read(one)
  local other_lane, other_count = read(other)
  if lane ~= other_lane then return lane == 'invites' end
  return count < other_count
end

local results, rows = {}, {}
local function give(user, number)
  known[user] = number
  rows[#rows + 1], rows[#rows + 2] = user, number
  results[#results + 1], results[#results + 2] = 'joined', number
end

for at = FIRST, last, STEP do
  local user, invite, instead = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local has, why_instead, number = known[user], string.sub(instead, 1, 1), string.sub(instead, 2)
  local lane, count = 'general', nil
  if instead ~= '' then
    lane, count = read(number)
    if not count or (why_instead ~= 'o' and why_instead ~= 'b') then return redis.error_reply('BADARG instead') end
  end
  local is_back = why_instead == 'b' and count <= places_max and (is_restoring or count <= gap_end[lane])
  if is_back and (not has or before(number, has)) then
    given[lane] = math.max(given[lane], count)
    give(user, number)
  elseif has and not (why_instead == 'o' and has == number) then
    results[#results + 1], results[#results + 2] = 'already', has
  else
    local guest = invite ~= '' and known['invite:' .. invite]
    lane = invite ~= '' and not (has and guest == user) and 'invites' or 'general'
    if is_closed then
      results[#results + 1] = 'closed'
    elseif is_restoring then
      results[#results + 1] = 'not_yet'
    elseif guest and guest ~= user then
      results[#results + 1] = 'uninvited'
    elseif given[lane] >= places_max then
      results[#results + 1] = 'full'
    else
      given[lane] = given[lane] + 1
      if lane == 'invites' then
        known['invite:' .. invite] = user
        rows[#rows + 1], rows[#rows + 2] = 'invite:' .. invite, user
      end
      give(user, (lane == 'invites' and 'i' or '') .. string.format('%d', given[lane]))
    end
  end
end

-- write
if #rows > 0 then
  redis.call('HSET', places_key, unpack(rows))
  redis.call('HSET', line_key, 'given', given.general, 'given_invites', given.invites)
end
return { 'decided', call, h.now, given.general, given.invites, results }
