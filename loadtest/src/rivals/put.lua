-- Writes what the holder of the lock has decided, and gives the lock back; nothing if the lock is its own no more, because
-- it was too slow: that is the fence. Called by redis_lock.rs.
--
-- KEYS[1] lock  KEYS[2] left  KEYS[3] orders
-- ARGV    token, left, id, record
-- Returns 1 if it was written, else 0.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[2], ARGV[2])
redis.call('HSET', KEYS[3], ARGV[3], ARGV[4])
redis.call('DEL', KEYS[1])
return 1
