#!lua flags=allow-oom
--[[ stake: begin to rebuild a sale in its next generation. From here on the sale as it is decides nothing, and no older rebuild can end.

The writer holds the sale's cursor lock. What an older rebuild has loaded goes.

KEYS    1 sale  2 rebuild  3 next_users  4 next_records  5 next_order  6 next_paying  7 next_adjusts  8 next_returns
ARGV    1 call  2 epoch
RETURNS staked <call> <run_id> <epoch> <seq> (of the sale as it is; 0 and 0 where there is none) | overtaken <call> <epoch>
WRITES  sale, rebuild, next_users, next_records, next_order, next_paying, next_adjusts, next_returns     (only on staked; of the sale its run_id)
REPLAY  again -> staked, with nothing loaded
COST    O(1): what is big is freed beside
]]
local sale_key, rebuild_key, next_users_key, next_records_key, next_order_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local next_paying_key, next_adjusts_key, next_returns_key = KEYS[6], KEYS[7], KEYS[8]
local call, epoch = ARGV[1], tonumber(ARGV[2])
if not epoch then return redis.error_reply('BADARG epoch') end

-- read
local is = redis.call('HMGET', sale_key, 'epoch', 'seq')
local there = redis.call('EXISTS', sale_key)
local staked = tonumber(redis.call('HGET', rebuild_key, 'epoch') or 0)
local run_id = server_run_id()

-- refuse
local was = tonumber(is[1] or 0)
if staked > epoch then return { 'overtaken', call, staked } end
if was >= epoch then return { 'overtaken', call, was } end

-- write
if there == 1 then redis.call('HSET', sale_key, 'run_id', '') end
redis.call('UNLINK', next_users_key)
redis.call('UNLINK', next_records_key)
redis.call('UNLINK', next_order_key)
redis.call('UNLINK', next_paying_key)
redis.call('UNLINK', next_adjusts_key)
redis.call('UNLINK', next_returns_key)
redis.call('HSET', rebuild_key, 'epoch', epoch)
return { 'staked', call, run_id, was, tonumber(is[2] or 0) }
