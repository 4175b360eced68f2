-- Replaces what is under KEYS[1], if its first 16 bytes, a version, are ARGV[1] ('': if there is
-- nothing), by ARGV[2] ('': by nothing), which expires after ARGV[3] milliseconds ('': never).
local version = redis.call('GETRANGE', KEYS[1], 0, 15)
if ARGV[2] ~= '' and version == string.sub(ARGV[2], 1, 16) then
    -- Somebody on the way has sent this a second time: no other write has this version.
    return 1
end
if version ~= ARGV[1] then
    return 0
end
if ARGV[2] == '' then
    redis.call('DEL', KEYS[1])
elseif ARGV[3] == '' then
    redis.call('SET', KEYS[1], ARGV[2])
else
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
return 1
