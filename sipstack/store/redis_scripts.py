"""What is done inside of Redis, in Lua (EVALSHA), and the names of its keys.

Each script is one step for everybody, and touches keys of one shard alone: the shard is their hash tag, so
that a cluster has them in one slot. Its last argument is the time of the server behind which it does
nothing: what was told to have failed is never done later, such as by a server that had been stopped.

A record is one string: how it begins is told in ``_HEAD``. A node has in each shard an index of what it
owns (sorted by when it expires), and a shard has the set of the nodes that own anything of it.
"""

from __future__ import annotations

import hashlib
import zlib

SHARDS = 64
"""All nodes must agree: it is part of the names of the keys."""
LEASES = b"sipstack:{leases}:"

LATE = -1
DONE = 1
UNKNOWN = 0


def shard_of(key: bytes) -> int:
    """The shard that has what is kept under ``key``."""
    return zlib.crc32(key) % SHARDS


def record_name(key: bytes) -> bytes:
    return b"sipstack:{%d}:record:%b" % (shard_of(key), key)


def index_prefix(shard: int) -> bytes:
    return b"sipstack:{%d}:node:" % shard


def index_name(shard: int, node: bytes) -> bytes:
    return index_prefix(shard) + node


def owners_name(shard: int) -> bytes:
    return b"sipstack:{%d}:owners" % shard


def lease_name(node: bytes) -> bytes:
    return LEASES + node


# The index of an owner before us is known by the record alone, so its name is made here. It is in the same
# slot, and Redis asks no more than that.
_HEAD = """
local function time()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
local function write(kind, epoch, written, owner, record)
  return struct.pack('>c1I4I8B', kind, epoch, written, #owner) .. owner .. record
end
local function read(key)
  local text = redis.call('GETRANGE', key, 0, 268)
  if text == '' then return nil end
  local kind, epoch, written, length = struct.unpack('>c1I4I8B', text)
  return {kind = kind, epoch = epoch, written = written, owner = string.sub(text, 15, 14 + length)}
end
local now = time()
"""

_SHARD = """
if now > tonumber(ARGV[#ARGV]) then return {-1, now} end
local record, owners = KEYS[1], KEYS[2]
local key, node, indices = ARGV[1], ARGV[2], ARGV[3]
local function last(name, left)
  if redis.call('PTTL', name) < left then redis.call('PEXPIRE', name, left) end
end
local function enlist(left)
  local index = indices .. node
  redis.call('ZREMRANGEBYSCORE', index, '-inf', now)
  redis.call('ZADD', index, now + left, key)
  redis.call('SADD', owners, node)
  last(index, left)
  last(owners, left)
end
local function strike(owner)
  redis.call('ZREM', indices .. owner, key)
end
local before = read(record)
"""

# 4 the epoch, 5 the lifetime in milliseconds, 6 the record
_PUT = """
local epoch, left = tonumber(ARGV[4]), tonumber(ARGV[5])
if before then
  if before.kind == 'T' or before.epoch > epoch then return 0 end
  if before.epoch == epoch and before.owner ~= node then return 0 end
  if before.owner ~= node then strike(before.owner) end
end
redis.call('SET', record, write('S', epoch, now, node, ARGV[6]), 'PX', left)
enlist(left)
return 1
"""

# 4 the epoch, 5 the lifetime of the tombstone in milliseconds
_FORGET = """
local epoch = tonumber(ARGV[4])
if before then
  if before.kind == 'S' and before.epoch > epoch then return 0 end
  if before.kind == 'S' then strike(before.owner) end
  epoch = math.max(epoch, before.epoch)
end
redis.call('SET', record, write('T', epoch, now, node, ''), 'PX', ARGV[5])
return 1
"""

_FOUND = """
if not before or before.kind == 'T' then return 0 end
local text = string.sub(redis.call('GET', record), 15 + #before.owner)
"""

_READ = """
return {text, before.epoch, now - before.written}
"""

# 4 the epoch that it has to have; -1 for any
_TAKE_OVER = """
local wanted = tonumber(ARGV[4])
if wanted >= 0 and wanted ~= before.epoch then return 0 end
local epoch = before.epoch + 1
redis.call('SET', record, write('S', epoch, before.written, node, text), 'KEEPTTL')
strike(before.owner)
enlist(redis.call('PTTL', record))
return {text, epoch, now - before.written}
"""

# Keys: the index of a node, the owners. 1 the node, 2 the score to begin at, 3 how many to pass over, 4 how
# many at most. The answer: the time, then keys and scores.
_PAGE = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('SREM', KEYS[2], ARGV[1])
  return {now}
end
local page = redis.call(
  'ZRANGE', KEYS[1], ARGV[2], '+inf', 'BYSCORE', 'LIMIT', ARGV[3], ARGV[4], 'WITHSCORES'
)
table.insert(page, 1, now)
return page
"""

# Key: the lease of a node. 1 how long it lasts, in milliseconds.
_RENEW = """
redis.call('SET', KEYS[1], '', 'PX', ARGV[1])
return now
"""

_REFUSES_WHEN_FULL = "#!lua\n"
_ALSO_WHEN_FULL = "#!lua flags=allow-oom\n"
_ONLY_WHAT_IS_THERE = "if not before then return redis.error_reply('OOM the store is full') end\n"

PUT = _REFUSES_WHEN_FULL + _HEAD + _SHARD + _PUT
PUT_AGAIN = _ALSO_WHEN_FULL + _HEAD + _SHARD + _ONLY_WHAT_IS_THERE + _PUT
"""What is there already is written although Redis is full: a new call is refused, an old one is not lost."""
FORGET = _ALSO_WHEN_FULL + _HEAD + _SHARD + _FORGET
READ = _ALSO_WHEN_FULL + _HEAD + _SHARD + _FOUND + _READ
TAKE_OVER = _ALSO_WHEN_FULL + _HEAD + _SHARD + _FOUND + _TAKE_OVER
PAGE = _ALSO_WHEN_FULL + _HEAD + _PAGE
RENEW = _ALSO_WHEN_FULL + _HEAD + _RENEW

SCRIPTS = (PUT, PUT_AGAIN, FORGET, READ, TAKE_OVER, PAGE, RENEW)


_DIGESTS = {
    script: hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest().encode() for script in SCRIPTS
}


def digest(script: str) -> bytes:
    """The name by which Redis knows a script that was loaded."""
    return _DIGESTS[script]
