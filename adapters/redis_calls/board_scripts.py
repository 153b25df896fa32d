"""What the board does in one step, as Lua scripts.

Names, behind the tag of the cache: `b:TARGET` is a breaker (hash), `breakers` the targets that have one, `demand` (hash) what
each process posted last: the Unix seconds until which it counts, a newline, JSON.
"""

COMMON = """
local tag = KEYS[1]
local target, owner, now = ARGV[1], ARGV[2], tonumber(ARGV[3])
local name = tag .. ':b:' .. target
local function notice()
  local row = redis.call('HMGET', name, 'serial', 'open_for', 'until')
  local left = row[2] and math.max(0, tonumber(row[3]) - now) or 0
  return {tonumber(row[1]), row[2] or '', string.format('%.17g', left)}
end
local function open(open_for)
  redis.call('HINCRBY', name, 'serial', 1)
  redis.call('HSET', name, 'open_for', open_for, 'until', string.format('%.17g', now + tonumber(open_for)))
  redis.call('HDEL', name, 'probed_by')
  return notice()
end
local function probed()
  return redis.call('HEXISTS', name, 'open_for') == 1 and redis.call('HGET', name, 'probed_by') == owner
end
"""

OPEN = (
    COMMON
    + """
local flying = redis.call('HMGET', name, 'open_for', 'until', 'probed_by', 'probed_until')
if flying[1] and (tonumber(flying[2]) > now or (flying[3] and tonumber(flying[4]) > now)) then return notice() end
local row = redis.call('HMGET', name, 'opened_by', 'closed_by', 'closed_at')
local refuted = not flying[1] and row[1] == owner and row[2] and row[2] ~= owner
if refuted and now < tonumber(row[3]) + tonumber(ARGV[5]) then return {} end
redis.call('SADD', tag .. ':breakers', target)
redis.call('HSET', name, 'opened_by', owner)
return open(ARGV[4])
"""
)

PROBE = (
    COMMON
    + """
local row = redis.call('HMGET', name, 'open_for', 'until', 'probed_by', 'probed_until')
if not row[1] or tonumber(row[2]) > now then return 0 end
if row[3] and row[3] ~= owner and tonumber(row[4]) > now then return 0 end
redis.call('HSET', name, 'probed_by', owner, 'probed_until', string.format('%.17g', now + tonumber(ARGV[4])))
return 1
"""
)

DROP_PROBE = (
    COMMON
    + """
if probed() then redis.call('HDEL', name, 'probed_by') end
return 1
"""
)

REOPEN = (
    COMMON
    + """
if not probed() then return {} end
return open(ARGV[4])
"""
)

CLOSE = (
    COMMON
    + """
if not probed() then return {} end
redis.call('HINCRBY', name, 'serial', 1)
redis.call('HDEL', name, 'open_for', 'until', 'probed_by')
redis.call('HSET', name, 'closed_by', owner, 'closed_at', ARGV[3])
return notice()
"""
)

EXCHANGE = """
local tag, owner, now = KEYS[1], ARGV[1], tonumber(ARGV[2])
if ARGV[3] ~= '' then redis.call('HSET', tag .. ':demand', owner, ARGV[3]) end
local posts, found = {}, redis.call('HGETALL', tag .. ':demand')
for i = 1, #found, 2 do
  local until_s, json = string.match(found[i + 1], '^([^\\n]*)\\n(.*)$')
  if tonumber(until_s) > now then
    posts[#posts + 1] = found[i]
    posts[#posts + 1] = json
  else
    redis.call('HDEL', tag .. ':demand', found[i])
  end
end
local rows = {}
for _, target in ipairs(redis.call('SMEMBERS', tag .. ':breakers')) do
  local row = redis.call('HMGET', tag .. ':b:' .. target, 'serial', 'open_for', 'until')
  local left = row[2] and math.max(0, tonumber(row[3]) - now) or 0
  rows[#rows + 1] = {target, tonumber(row[1]), row[2] or '', string.format('%.17g', left)}
end
return {rows, posts}
"""
