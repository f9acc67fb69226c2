-- Places one order, at most once per id, never for more than is left, at most so many units per user.
-- All in one call per request, as shops write it by hand; nothing is batched. Called by redis_lua.rs.
--
-- KEYS[1] sale     hash: stock, left
-- KEYS[2] records  hash: id -> number|record
-- KEYS[3] users    hash: user -> units
-- KEYS[4] journal  stream of placed orders
-- ARGV    id, user, quantity, limit per user, record
-- Returns "repeat" and the record, "sold_out", "limit_reached", or "placed" and the number.

local before = redis.call('HGET', KEYS[2], ARGV[1])
if before then
  return {'repeat', before}
end

local quantity = tonumber(ARGV[3])
local sale = redis.call('HMGET', KEYS[1], 'stock', 'left')
local left = tonumber(sale[2] or 0)
if left < quantity then
  return {'sold_out'}
end

local units = tonumber(redis.call('HGET', KEYS[3], ARGV[2]) or 0) + quantity
if units > tonumber(ARGV[4]) then
  return {'limit_reached'}
end

-- The number counts units sold, which saves a counter of its own.
local number = tonumber(sale[1]) - left + quantity
local record = string.format('%d|%s', number, ARGV[5])
redis.call('HSET', KEYS[1], 'left', left - quantity)
redis.call('HSET', KEYS[2], ARGV[1], record)
redis.call('HSET', KEYS[3], ARGV[2], units)
redis.call('XADD', KEYS[4], '*', 'o', record)
return {'placed', number}
