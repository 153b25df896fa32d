"""What Redis does in one step, as Lua scripts: Redis runs a script whole, so each is a transaction.

Names: `a:ENTRY` is an answer (hash: packed, size), `f:ENTRY` a flight (hash: owner, fence, until), `u:ENTRY` the conversations
that used an answer, `c:SCOPE/CONVERSATION` the entries that a conversation used, `s:SCOPE` those of a scope that hold
an answer or a flight, `d:SCOPE/CONVERSATION` the mark of a deleted conversation. `made` and `used` are sorted sets of entries by
Unix seconds, `bytes` the size of all answers, `fences` the last fence given out. An ENTRY is SCOPE, a newline, KEY.
All names share one hash tag, so that a Redis Cluster keeps them in one slot; scripts may build names from names then.
"""

COMMON = """
local tag = KEYS[1]
local function at(kind, name) return tag .. ':' .. kind .. ':' .. name end
local function forget(entry)
  local size = redis.call('HGET', at('a', entry), 'size')
  if not size then return 0 end
  local scope = string.match(entry, '^([^\\n]*)')
  redis.call('DEL', at('a', entry))
  for _, name in ipairs(redis.call('SMEMBERS', at('u', entry))) do
    redis.call('SREM', at('c', name), entry)
  end
  redis.call('DEL', at('u', entry))
  redis.call('ZREM', tag .. ':made', entry)
  redis.call('ZREM', tag .. ':used', entry)
  redis.call('DECRBY', tag .. ':bytes', size)
  if redis.call('EXISTS', at('f', entry)) == 0 then redis.call('SREM', at('s', scope), entry) end
  return 1
end
local function note(entry, scope, conversation)
  if conversation == '' then return end
  local name = scope .. '/' .. conversation
  if redis.call('EXISTS', at('d', name)) == 1 then return end
  redis.call('SADD', at('u', entry), name)
  redis.call('SADD', at('c', name), entry)
end
local function mine(entry, owner, fence)
  local flight = redis.call('HMGET', at('f', entry), 'owner', 'fence')
  return flight[1] == owner and flight[2] == fence
end
"""

BEGIN = (
    COMMON
    + """
local entry, scope, owner, now, claim, conversation = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local packed = redis.call('HGET', at('a', entry), 'packed')
if packed then
  redis.call('ZADD', tag .. ':used', ARGV[4], entry)
  note(entry, scope, conversation)
  return {'hit', packed}
end
local until_s = redis.call('HGET', at('f', entry), 'until')
if until_s and tonumber(until_s) > now then return {'flying', until_s} end
local fence = redis.call('INCR', tag .. ':fences')
local ends = string.format('%.17g', now + claim)
redis.call('HSET', at('f', entry), 'owner', owner, 'fence', fence, 'until', ends)
redis.call('EXPIRE', at('f', entry), ARGV[7])
redis.call('SADD', at('s', scope), entry)
return {'claimed', fence, ends}
"""
)

RENEW = (
    COMMON
    + """
if not mine(ARGV[1], ARGV[2], ARGV[3]) then return 0 end
redis.call('HSET', at('f', ARGV[1]), 'until', ARGV[4])
redis.call('EXPIRE', at('f', ARGV[1]), ARGV[5])
return 1
"""
)

PUT = (
    COMMON
    + """
local entry, scope, owner, fence, now, packed, conversation = unpack(ARGV)
if not mine(entry, owner, fence) then return 0 end
redis.call('DEL', at('f', entry))
if conversation ~= '' and redis.call('EXISTS', at('d', scope .. '/' .. conversation)) == 1 then
  redis.call('SREM', at('s', scope), entry)
  return 0
end
forget(entry)
local size = #packed + #entry
redis.call('HSET', at('a', entry), 'packed', packed, 'size', size)
redis.call('ZADD', tag .. ':made', now, entry)
redis.call('ZADD', tag .. ':used', now, entry)
redis.call('INCRBY', tag .. ':bytes', size)
redis.call('SADD', at('s', scope), entry)
note(entry, scope, conversation)
return 1
"""
)

RELEASE = (
    COMMON
    + """
local entry, scope = ARGV[1], ARGV[2]
if not mine(entry, ARGV[3], ARGV[4]) then return 0 end
redis.call('DEL', at('f', entry))
redis.call('SREM', at('s', scope), entry)
return 1
"""
)

DISCARD = COMMON + "return forget(ARGV[1])"

FORGET_CONVERSATION = (
    COMMON
    + """
local name = ARGV[1]
redis.call('SET', at('d', name), 1, 'EX', ARGV[2])
local gone = 0
for _, entry in ipairs(redis.call('SMEMBERS', at('c', name))) do
  redis.call('SREM', at('u', entry), name)
  if redis.call('SCARD', at('u', entry)) == 0 then gone = gone + forget(entry) end
end
redis.call('DEL', at('c', name))
return gone
"""
)

FORGET_SCOPE = (
    COMMON
    + """
local gone = 0
for _, entry in ipairs(redis.call('SMEMBERS', at('s', ARGV[1]))) do
  redis.call('DEL', at('f', entry))
  gone = gone + forget(entry)
end
redis.call('DEL', at('s', ARGV[1]))
return gone
"""
)

TRIM = (
    COMMON
    + """
local oldest, most, at_once = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local gone = 0
for _, entry in ipairs(redis.call('ZRANGEBYSCORE', tag .. ':made', '-inf', '(' .. oldest, 'LIMIT', 0, at_once)) do
  gone = gone + forget(entry)
end
while gone < at_once and tonumber(redis.call('GET', tag .. ':bytes') or '0') > most do
  local next = redis.call('ZRANGE', tag .. ':used', 0, 0)
  if #next == 0 then break end
  gone = gone + forget(next[1])
end
return gone
"""
)
