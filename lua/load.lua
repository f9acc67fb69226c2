#!lua
--[[ load: put some of a rebuilt sale beside the live one, as fields and values, as deadlines and ids, or as ids in order.

KEYS    1 rebuild  2 next_users  3 next_records  4 next_order  5 next_paying  6 next_adjusts  7 next_returns
ARGV    1 call  2 epoch  3 part  4 length  then per value: value
RETURNS loaded <call> <length> (of the order; 0 for other parts) | overtaken <call> <epoch>
WRITES  next_users, next_records, next_order, next_paying, next_adjusts, next_returns     (the one that part names)
REPLAY  again -> the same fields to the same values; ids are added only to an order of that length
COST    O(values)
]]
local rebuild_key, next_users_key, next_records_key, next_order_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local next_paying_key, next_adjusts_key, next_returns_key = KEYS[5], KEYS[6], KEYS[7]
local call, epoch, part, length = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local PARTS = { users = true, records = true, order = true, paying = true, adjusts = true, returns = true }
if not PARTS[part] then return redis.error_reply('BADARG part') end

-- read
local staked = tonumber(redis.call('HGET', rebuild_key, 'epoch') or 0)
local ordered = redis.call('LLEN', next_order_key)

-- refuse
if staked ~= epoch then return { 'overtaken', call, staked } end
if part == 'order' and ordered ~= length then return { 'loaded', call, ordered } end
local values = { unpack(ARGV, 5, #ARGV) }

-- write
local reached = 0
if part == 'users' then redis.call('HSET', next_users_key, unpack(values))
elseif part == 'records' then redis.call('HSET', next_records_key, unpack(values))
elseif part == 'paying' then redis.call('ZADD', next_paying_key, unpack(values))
elseif part == 'adjusts' then redis.call('HSET', next_adjusts_key, unpack(values))
elseif part == 'returns' then redis.call('HSET', next_returns_key, unpack(values))
else reached = redis.call('RPUSH', next_order_key, unpack(values)) end
return { 'loaded', call, reached }
