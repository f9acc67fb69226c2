-- Gives the lock back if it still is the caller's: compare and delete. Called by redis_lock.rs.
--
-- KEYS[1] lock
-- ARGV    token

if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
return 1
