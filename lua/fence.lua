--[[ fence: what a script asks before it decides anything. The gate puts this file in front of every script; there is no other shared Lua.

A sale sells only on the server process (run_id) and in the generation (epoch) that a writer has vouched for, so a restarted,
restored or promoted Redis refuses until it has been compared with the books.

head(sale)                    the sale's head as a table of numbers, or nil and a refusal: unknown_sale | unknown_schema <schema>
clock(last_ms, caller_ms)     now in ms: Redis TIME, never before last_ms; nil if it leapt more than 60 s and the caller's clock disagrees
fence(sale, epoch, caller_ms) head + epoch + run_id + clock: h with h.now, or nil and a refusal; adds: recovering <why>
]]
local SCHEMA, LEAP_MS = '1', 60000

local function head(sale)
  local f = redis.call('HMGET', sale, 'schema', 'epoch', 'run_id', 'state', 'opens_ms', 'closes_ms', 'hold_ms',
    'seq', 'flushed_seq', 'bytes', 'flushed_bytes', 'last_now_ms')
  if not f[1] then return nil, 'unknown_sale', '' end
  if f[1] ~= SCHEMA then return nil, 'unknown_schema', f[1] end
  for i = 2, 12 do if not f[i] then return nil, 'recovering', 'head' end end
  return { epoch = f[2], run_id = f[3], state = f[4], opens_ms = tonumber(f[5]), closes_ms = tonumber(f[6]),
    hold_ms = tonumber(f[7]), seq = tonumber(f[8]), flushed_seq = tonumber(f[9]), bytes = tonumber(f[10]),
    flushed_bytes = tonumber(f[11]), last_now_ms = tonumber(f[12]) }
end

local function clock(last_ms, caller_ms)
  local t = redis.call('TIME')
  local now = t[1] * 1000 + math.floor(t[2] / 1000)
  if now - last_ms > LEAP_MS and math.abs(now - caller_ms) > LEAP_MS then return nil end
  return math.max(now, last_ms)
end

-- Found, not matched: a pattern is tried at each of the thousand bytes before it.
local function server_run_id()
  local info = redis.call('INFO', 'server')
  local _, at = string.find(info, 'run_id:', 1, true)
  return at and string.sub(info, at + 1, at + 40)
end

local function fence(sale, epoch, caller_ms)
  local h, word, why = head(sale)
  if not h then return nil, word, why end
  if h.epoch ~= epoch then return nil, 'recovering', 'epoch' end
  if h.run_id ~= server_run_id() then return nil, 'recovering', 'run_id' end
  h.now = clock(h.last_now_ms, tonumber(caller_ms))
  if not h.now then return nil, 'recovering', 'clock' end
  return h
end
